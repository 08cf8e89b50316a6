# The Python side of reward `code`: a fork server that runs in the box with its modules imported. Each request is one child, which gives up what it
# has, runs one program and ends. What the children of two kinds are told differs: those that run untrusted code never see an expected result.
# SPDX-License-Identifier: Apache-2.0
import array, ast, atexit, builtins, ctypes, errno, fcntl, gc, importlib.util, json, os, resource, select, signal, socket, struct, sys, threading, traceback, types

for _name in ("abc argparse base64 bisect calendar cmath collections collections.abc contextlib copy dataclasses datetime decimal enum fractions "
              "functools hashlib heapq inspect io itertools math numbers operator os.path queue random re secrets statistics string "
              "textwrap threading time typing unicodedata uuid").split():
    __import__(_name)
import collections

CONTROL, FILTER = 3, 4
OWN_PID = 0x7E4E0B0C
MAX_DEPTH, MAX_BYTES, MAX_BITS = 100, 16 << 20, 1 << 20
PARKED = 300  # descriptors of a child wait from here on until 0, 1, 2… are free
STEP_BEFORE = 8  # BoxStep::kFork of sandbox/protocol.h


# --- Typed values -----------------------------------------------------------------------------------------------------
# Exact types only: an object of a class of its own could answer any comparison.

class Unsupported(Exception):
    pass


def _sized(tag, data):
    return tag + struct.pack("<Q", len(data)) + data


def encode(value, depth=0):
    kind = type(value)
    if value is None:
        return b"N"
    if kind is bool:
        return b"T" if value else b"F"
    if kind is int:
        if value.bit_length() > MAX_BITS:
            raise Unsupported("an integer of %d bits" % value.bit_length())
        return _sized(b"i", b"%x" % value if value >= 0 else b"-%x" % -value)
    if kind is float:
        return b"f" + struct.pack("<d", value)
    if kind is complex:
        return b"c" + struct.pack("<dd", value.real, value.imag)
    if kind is str:
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return _sized(b"b", value)
    if depth >= MAX_DEPTH:
        raise Unsupported("nesting deeper than %d" % MAX_DEPTH)
    tag = {list: b"l", tuple: b"t", set: b"S", frozenset: b"S", collections.deque: b"q"}.get(kind)
    if tag is not None:
        items = list(value)
    elif kind in (dict, collections.Counter, collections.OrderedDict, collections.defaultdict):
        tag, items = b"d", [x for pair in dict.items(value) for x in pair]
    else:
        raise Unsupported("a value of type " + str(kind.__name__)[:60])
    out, size = [tag, struct.pack("<Q", len(items))], 0
    for item in items:
        part = encode(item, depth + 1)
        size += len(part)
        if size > MAX_BYTES:
            raise Unsupported("a value of more than %d bytes" % MAX_BYTES)
        out.append(part)
    return b"".join(out)


def decode(data, depth=0):
    value, end = _decode(data, 0, depth)
    if end != len(data):
        raise ValueError("bytes after the value")
    return value


def _decode(data, at, depth):
    tag = data[at:at + 1]
    at += 1
    if tag in (b"N", b"T", b"F"):
        return {b"N": None, b"T": True, b"F": False}[tag], at
    if tag == b"f":
        return struct.unpack_from("<d", data, at)[0], at + 8
    if tag == b"c":
        return complex(*struct.unpack_from("<dd", data, at)), at + 16
    n = struct.unpack_from("<Q", data, at)[0]
    at += 8
    if tag in (b"i", b"s", b"b"):
        part = data[at:at + n]
        if len(part) != n or (tag == b"i" and n > MAX_BITS // 4 + 2):
            raise ValueError("cut short or too long")
        return {b"i": lambda: int(part, 16), b"s": lambda: part.decode("utf-8", "surrogatepass"), b"b": lambda: part}[tag](), at + n
    if depth > MAX_DEPTH or n > len(data):
        raise ValueError("too deep or too long")
    items = []
    for _ in range(n):
        item, at = _decode(data, at, depth + 1)
        items.append(item)
    if tag == b"d":
        return dict(zip(items[::2], items[1::2])), at
    return {b"l": list, b"t": tuple, b"S": set, b"q": collections.deque}[tag](items), at


def read_exactly(fd, n):
    parts = []
    while n > 0:
        part = os.read(fd, min(n, 1 << 20))
        if not part:
            raise EOFError("the other process has ended")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def read_frame(fd, most=4 * MAX_BYTES, depth=0):
    n = struct.unpack("<Q", read_exactly(fd, 8))[0]
    if n > most:
        raise ValueError("a frame of %d bytes" % n)
    return decode(read_exactly(fd, n), depth)


def write_frame(fd, value):
    data = encode(value)
    data = struct.pack("<Q", len(data)) + data
    while data:
        data = data[os.write(fd, data):]


def read_file(fd):
    return os.pread(fd, os.fstat(fd).st_size, 0)


def text_of(error):
    try:
        return (type(error).__name__ + ": " + str(error))[:300]
    except BaseException:
        return "an exception without a text"


# --- Children that run untrusted code ---------------------------------------------------------------------------------

# exit() and quit() of the interactive interpreter, which programs use too; the module `site`, which has them, is not loaded.
def leave(code=None):
    raise SystemExit(code)


builtins.exit = builtins.quit = leave


# As the interpreter does at its end: a stream that the program closed or took away is no error.
def flush_streams():
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()


def module_of(name, source):
    module = types.ModuleType(name)
    sys.modules[name] = module
    module.__dict__["__builtins__"] = builtins
    exec(compile(source, "solution.py", "exec"), module.__dict__)
    return module.__dict__


# A whole program on standard input and output. fds: source.
def child_run(request, fds):
    source = read_file(fds[0])
    os.close(fds[0])
    code = 0
    try:
        module_of("__main__", source)
        threading._shutdown()  # as the interpreter does: threads that are no daemons are waited for
    except SystemExit as leaving:
        code = leaving.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    atexit._run_exitfuncs()
    return (code or 0) & 255


# Evaluates expressions in the solution's namespace. fds: source, result, and what to evaluate: [nonce, setup, [expression…]].
def child_calls(request, fds):
    source, result, plan = read_file(fds[0]), fds[1], fds[2]
    namespace = module_of("solution", source)
    nonce, setup, calls = decode(read_file(plan))
    if setup:
        exec(compile(setup, "setup.py", "exec"), namespace)
    for k, call in enumerate(calls):
        try:
            answer = ["value", eval(compile(call, "call.py", "eval"), namespace)]
            encode(answer)
        except Unsupported as reason:
            answer = ["unsupported", str(reason)]
        except BaseException as error:
            answer = ["error", text_of(error)]
        write_frame(result, [nonce, k] + answer)
    return 0


# Calls functions for a tester in another process. fds: source, the tester's socket.
def child_serve(request, fds):
    source, peer = read_file(fds[0]), fds[1]
    namespace = module_of("solution", source)
    while True:
        try:
            name, args, kwargs = read_frame(peer)
        except EOFError:
            return 0
        try:
            answer = ["value", namespace[name](*args, **kwargs)]
            encode(answer)
        except Unsupported as reason:
            answer = ["unsupported", str(reason)]
        except BaseException as error:
            answer = ["error", type(error).__name__, text_of(error)]
        try:
            write_frame(peer, [answer, args])
        except Unsupported:
            write_frame(peer, [answer, None])


# --- Children that run the data set's tests ---------------------------------------------------------------------------

class CandidateFailed(Exception):
    pass


class CannotBeAsked(Exception):
    pass


# The answer to a call: [[how, …], the arguments afterwards]. It is held to less than `encode` allows, so that a test can hand a result on to the next call:
# what cannot be asked is then the row's doing, never the solution's.
def read_answer(peer):
    try:
        answer, after = read_frame(peer, MAX_BYTES // 2, MAX_DEPTH // 10)
        if answer[0] == "value" or [type(x) for x in answer[:2]] == [str, str]:
            return answer, after if type(after) is list else []
    except (EOFError, OSError):
        raise EOFError("the other process has ended")
    except BaseException:
        pass
    raise CandidateFailed("what it answers is no value, or one of more than %d bytes" % (MAX_BYTES // 2))


# A function that is called in the other process. Lists, dictionaries and sets that it changes in place change here too. asked: gets the names of what was
# called.
def remote(peer, name, asked):
    def call(*args, **kwargs):
        asked.append(name)
        try:
            write_frame(peer, [name, list(args), kwargs])
        except OSError:  # the other end is closed
            raise EOFError("the other process has ended")
        except Unsupported as reason:
            raise CannotBeAsked("a test calls %s with %s" % (name, reason))
        answer, after = read_answer(peer)
        for before, now in zip(args, after):
            if type(before) is list and type(now) is list:
                before[:] = now
            elif type(before) in (dict, set) and type(now) is type(before):
                before.clear()
                before.update(now)
        if answer[0] == "value":
            return answer[1]
        if answer[0] == "unsupported":
            raise CandidateFailed("the result is " + answer[1])
        kind, text = getattr(builtins, answer[1], None), str(answer[-1])
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, EOFError):
            try:
                error = kind(text)
            except TypeError:  # one that wants more than a text
                raise CandidateFailed(text)
            error.of_candidate = True
            raise error
        raise CandidateFailed(text)
    return call


# Names that a text uses, and those that it defines.
def names_of(tree):
    used, made = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            made.add(node.name)
    return used, made


# Names that a text uses and does not define.
def free_names(tree):
    used, made = names_of(tree)
    return used - made - set(dir(builtins))


# What tests find around them: the prompt's definitions, the function under test, the row's setup.
def prepare_tests(plan, namespace, peer, asked):
    if plan["prelude"]:
        try:
            exec(compile(plan["prelude"], "prompt.py", "exec"), namespace)
        except SyntaxError:
            pass  # the prompt breaks off inside a function: its helpers are asked for in the other process
    entry = plan["entry"]
    if entry:
        namespace["candidate"] = namespace[entry] = remote(peer, entry, asked)
    texts = ([plan["setup"]] if plan["setup"] else []) + plan["tests"]
    for text in texts:
        for name in free_names(ast.parse(text)):
            namespace.setdefault(name, sys.modules[name] if name in sys.modules else remote(peer, name, asked))
    if plan["setup"]:
        exec(compile(plan["setup"], "setup.py", "exec"), namespace)


# Runs tests. fds: what to run {prelude, setup, entry, tests: [text…], all}, result, the candidate's socket. Answers one [outcome, text] each test.
def child_test(request, fds):
    plan, result, peer, asked = decode(read_file(fds[0])), fds[1], fds[2], []
    namespace = {"__name__": "tests", "__builtins__": builtins}
    try:
        prepare_tests(plan, namespace, peer, asked)
    except CandidateFailed as error:
        write_frame(result, ["candidate", str(error)])
        return 0
    except EOFError:
        return 0
    except CannotBeAsked as error:
        write_frame(result, ["unjudged", str(error)])
        return 0
    except BaseException as error:  # after an answer of the solution's it may be that answer's doing
        write_frame(result, ["candidate" if asked else "unjudged", "before the tests: " + text_of(error)])
        return 0
    for text in plan["tests"]:
        outcome = ["ok", ""]
        try:
            exec(compile(text, "test.py", "exec"), namespace)
        except AssertionError as error:
            outcome = ["candidate" if hasattr(error, "of_candidate") else "wrong", text_of(error)]
        except CannotBeAsked as error:
            outcome = ["unjudged", str(error)]
        except ImportError as error:  # of the tests' own, where it is not the solution's
            outcome = ["candidate" if hasattr(error, "of_candidate") else "unjudged", text_of(error)]
        except EOFError:
            outcome = ["gone", ""]
        except CandidateFailed as error:
            outcome = ["candidate", str(error)]
        except BaseException as error:
            outcome = ["candidate" if hasattr(error, "of_candidate") else "wrong", text_of(error)]
        write_frame(result, outcome)
        if outcome[0] in ("gone", "unjudged") or (outcome[0] != "ok" and not plan["all"]):
            return 0
    return 0


class NotPlain(Exception):
    pass


class Renamed(ast.NodeTransformer):
    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


# `assert f(args) == constant`, `assert f(args)`, `assert not f(args)`: the text of the call, how it is judged, and the constant. names: what the function
# under test is called in the tests, and its name; none: it may be any function but `others`, which the row defines.
def plain_assert(node, names, others):
    def call_text(call):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise NotPlain("not a call of a function by name")
        if call.func.id in others or "*" in others or (names and call.func.id not in names):
            raise NotPlain("a call of the tests' own function")  # the expected result may be among its arguments
        inside = {x.func.id for x in ast.walk(call) if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)}
        if call.func.id in dir(builtins) and inside - set(dir(builtins)):
            raise NotPlain("a builtin around the function")  # without another function in it, it is the solution's own
        return ast.unparse(Renamed(names).visit(call))

    test = node.test
    if isinstance(test, ast.Constant):
        if test.value:
            return None
        raise NotPlain("an assert that always fails")
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return [call_text(test.operand), "false", None]
    if isinstance(test, ast.Call):
        return [call_text(test), "true", None]
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], (ast.Eq, ast.Is))):
        raise NotPlain("not an equality")
    how = "same" if isinstance(test.ops[0], ast.Is) else "equal"
    left, right = test.left, test.comparators[0]
    for call, constant in ((left, right), (right, left)):
        try:
            text = call_text(call)
            value = eval(compile(ast.Expression(constant), "expected.py", "eval"), {"__builtins__": builtins})
            encode(value)
            return [text, how, value]
        except NotPlain:
            continue
        except BaseException:
            raise NotPlain("no constant to compare with")
    raise NotPlain("no call of a function by name")


# A module that a text imports, be it in its function check, and that is not there; else empty.
def missing_module(tree):
    for node in tree.body + [x for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "check" for x in f.body]:
        for name in [x.name for x in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []:
            top = name.split(".")[0]
            if top and top not in sys.modules and importlib.util.find_spec(top) is None:
                return top
    return ""


# Why the row's tests can judge nothing, whatever the solution; empty where they may.
def defect_of(plan):
    try:
        setup = ast.parse(plan["setup"], "the setup")
        tests = [ast.parse(text + ("\ncheck(candidate)\n" if plan["check"] else ""), "the test") for text in plan["tests"]]
        if plan["check"] and any("check" in free_names(tree) for tree in tests):
            return "the test defines no function check"
        for missing in filter(None, map(missing_module, [setup] + tests)):
            return "they import %s, which is not there" % missing
    except (SyntaxError, ValueError, RecursionError) as error:
        return text_of(error)
    if not free_names(setup):  # it needs nothing of the solution's
        try:
            exec(compile(setup, "setup.py", "exec"), {"__name__": "setup", "__builtins__": builtins})
        except BaseException as error:
            return "the setup fails: " + text_of(error)
    return ""


# The statements of check(candidate), where they are all that the test's text has. names: gets the parameter's.
def check_body(text, names):
    check = [x for x in text if isinstance(x, ast.FunctionDef) and x.name == "check"]
    if len(check) != 1 or len(check[0].args.args) != 1:
        raise NotPlain("no single check function of one parameter")
    parameter = check[0].args.args[0].arg
    names[parameter] = names["candidate"]
    beside = set().union(*(names_of(x)[1] for x in text if x is not check[0]))
    if "*" in beside or beside & names_of(check[0])[0]:
        raise NotPlain("something beside the check function that it uses")
    return check[0].body


# Takes asserts apart. fds: {entry, setup, tests, check}, result. Answers ["calls", calls], ["run", why] where the tests are to be run as they are, or
# ["broken", why].
def child_plan(request, fds):
    plan, result = decode(read_file(fds[0])), fds[1]
    entry, calls = plan["entry"], []
    names = {entry: entry, "candidate": entry} if entry else {}
    defect = defect_of(plan)
    if defect:
        write_frame(result, ["broken", defect])
        return 0
    try:
        others = names_of(ast.parse(plan["setup"]))[1]
        for text in plan["tests"]:
            body = ast.parse(text).body
            if plan["check"]:
                body = check_body(body, names)
            found = []
            for node in body:
                if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                    continue
                if not isinstance(node, ast.Assert):
                    raise NotPlain("a statement that is no assert")
                one = plain_assert(node, names, others)
                if one is not None:
                    found.append(one)
            if not found:
                raise NotPlain("no assert")
            calls.append(found)
        write_frame(result, ["calls", calls])
    except (NotPlain, SyntaxError, ValueError, RecursionError) as reason:
        write_frame(result, ["run", str(reason)])
    return 0


# --- The fork server --------------------------------------------------------------------------------------------------

LIBC = ctypes.CDLL(None, use_errno=True)


class Fprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def load_filter(program):
    words = bytearray(program)
    for at in range(0, len(words), 8):
        code, _, _, k = struct.unpack_from("<HBBI", words, at)
        if code & 7 == 5 and k == OWN_PID:
            struct.pack_into("<I", words, at + 4, os.getpid())
    buffer = (ctypes.c_char * len(words)).from_buffer(words)
    prog = Fprog(len(words) // 8, ctypes.addressof(buffer))
    if LIBC.prctl(38, 1, 0, 0, 0) != 0 or LIBC.prctl(22, 2, ctypes.byref(prog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system-call filter")


def limit(what, value, grace=0):
    if value:
        hard = resource.getrlimit(what)[1]
        most = (lambda x: x) if hard == resource.RLIM_INFINITY else (lambda x: min(hard, x))
        resource.setrlimit(what, (most(value), most(value + grace)))


# The judge's JobReport of a child that never came to its program: the box's failure, not the program's.
def report_failure(status, error):
    try:
        os.write(status, struct.pack("<iiIIQQQ", 0, getattr(error, "errno", None) or errno.EIO, STEP_BEFORE, 0, 0, 0, 0))
    except OSError:
        pass


# A user namespace of this process's own, where the box is one: its threads are then counted by themselves (Linux 5.14), so that no other program of the box
# runs out of them. Without it they are counted together.
def be_alone():
    header, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    if LIBC.unshare(0x10000000) == 0 and LIBC.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


# Gives up what this process has and need not have. fds: the status socket, then the program's descriptors 0, 1, 2…
def confine(request, fds, program, server):
    LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)  # the server's end is this process's
    if os.getppid() != server:
        os._exit(1)
    status = fds[0]
    try:
        status, *parked = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, PARKED) for fd in fds]
        os.closerange(0, PARKED)
        for k, fd in enumerate(parked):
            os.dup2(fd, k, inheritable=True)
        os.closerange(len(parked), status)
        os.closerange(status + 1, 1 << 20)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        sys.stdin = open(0, "r", encoding="utf-8", errors="surrogateescape", closefd=False)
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        sys.argv = ["solution.py"]
        if request["alone"]:
            be_alone()
        limit(resource.RLIMIT_CPU, request["cpu"], grace=1)  # SIGXCPU, and SIGKILL a second later
        limit(resource.RLIMIT_AS, request["memory"])
        limit(resource.RLIMIT_STACK, request["stack"])
        limit(resource.RLIMIT_NPROC, request["processes"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        load_filter(program)
    except BaseException as error:
        report_failure(status, error)
        os._exit(1)
    os.close(status)


def child(request, fds, program, server):
    code = 1
    try:
        confine(request, fds, program, server)
        handler = {"run": child_run, "calls": child_calls, "serve": child_serve, "test": child_test, "plan": child_plan}[request["mode"]]
        code = handler(request, list(range(3, len(fds) - 1)))
    except BaseException:
        try:
            traceback.print_exc(limit=-8)
        except BaseException:
            pass
    try:
        flush_streams()
    except BaseException:
        code = code or 1
    os._exit(code)


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    control = socket.socket(fileno=CONTROL)
    program, server = read_file(FILTER), os.getpid()
    sys.path[:] = [p for p in sys.path if p]
    poller = select.poll()
    poller.register(CONTROL, select.POLLIN)
    by_status, by_pid_fd = {}, {}
    gc.collect()
    gc.freeze()
    control.send(("ready " + sys.version.split()[0]).encode())
    while True:
        for fd, _ in poller.poll():
            if fd == CONTROL:
                message, extra, flags, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(16 * 4))
                if not message:
                    return
                fds = array.array("i")
                for level, kind, data in extra:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        fds.frombytes(data[:len(data) - len(data) % 4])
                try:
                    if flags & socket.MSG_CTRUNC:
                        raise OSError(errno.EMFILE, "descriptors were lost")
                    pid = os.fork()
                except OSError as error:
                    if fds:
                        report_failure(fds[0], error)
                    for one in fds:
                        os.close(one)
                    continue
                if pid == 0:
                    child(json.loads(message), list(fds), program, server)
                for one in fds[1:]:
                    os.close(one)
                pid_fd = os.pidfd_open(pid)
                by_status[fds[0]] = pid
                by_pid_fd[pid_fd] = (pid, fds[0])
                poller.register(fds[0], select.POLLIN)
                poller.register(pid_fd, select.POLLIN)
            elif fd in by_pid_fd:
                pid, status = by_pid_fd.pop(fd)
                _, ended, used = os.wait4(pid, 0)
                poller.unregister(fd)
                os.close(fd)
                if status in by_status:
                    by_status.pop(status)
                    poller.unregister(status)
                micros = int((used.ru_utime + used.ru_stime) * 1e6)
                try:
                    os.write(status, struct.pack("<iiIIQQQ", ended, 0, 0, 0, micros, used.ru_maxrss, used.ru_nivcsw))
                except OSError:
                    pass
                os.close(status)
            elif fd in by_status:
                os.kill(by_status.pop(fd), signal.SIGKILL)
                poller.unregister(fd)


if __name__ == "__main__":
    main()
