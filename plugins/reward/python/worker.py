# The process that a reward of type `python` runs in: imports the function, then scores batches that arrive in shared memory.
# SPDX-License-Identifier: Apache-2.0
#
# Started as: python3 -c <this text> FILE FUNCTION FORMAT. Descriptors: 3 commands, 4 answers, 5 the shared memory, 6 a pipe that the host holds as long as it
# lives. Commands and answers are lines of JSON. A command is {"call", "n", "size"} about the batch in the memory:
#   u64 offsets[n + 1] of prompts, of completions, of metas, then of tokens (in numbers); their bytes, one after the other; int32 tokens, from a multiple of 8 on
# and its answer {"call", "reasons": {place: text}}, the memory then beginning with f64 rewards[n], u8 status[n]. The first answer, without a command, is
# {"ready": 1} or {"error": text}.
#
# What a start needs is imported here, the rest where it is used: a worker that was killed is started again in the middle of a run.
import array
import json
import math
import mmap
import os
import sys
import threading

OK, NOT_APPLICABLE, CRASHED, REFUSED = 1, 2, 4, 5
commands, answers, memory_fd = os.fdopen(3, "r"), os.fdopen(4, "w", buffering=1), 5
own_pid = os.getpid()


class Unfit(Exception):
    """What the function returned, or wants, does not fit the batch: trying its samples one by one would not help."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def answer(**fields):
    answers.write(json.dumps(fields) + "\n")


def printable(text):
    return text[:1000].encode("utf-8", "replace").decode()


def last_line(error):
    import traceback

    if isinstance(error, SyntaxError) and error.filename:
        return printable(f"{error.filename}:{error.lineno}:{error.offset}: {type(error).__name__}: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if os.path.abspath(f.filename) == os.path.abspath(sys.argv[1])]
    where = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    try:
        return printable(f"{where}{type(error).__name__}: {error}")
    except Exception:  # its __str__ raises
        return printable(f"{where}{type(error).__name__}")


def load(path, name):
    import importlib.util

    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    if spec is None:
        raise LookupError(f"{path} is no Python file: its name does not end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [k for k, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__]
        raise LookupError(f"{path} has no function {name}. It has: {', '.join(known) or 'none'}")
    return function


class Function:
    """The function with what it takes by name."""

    def __init__(self, function, name):
        import inspect

        self.call, self.name, self.loop = function, name, None
        self.accepted, self.required = set(), []
        self.takes_all = False
        for p in inspect.signature(function).parameters.values():
            if p.kind == p.VAR_KEYWORD:
                self.takes_all = True
            elif p.kind == p.POSITIONAL_ONLY and p.default is p.empty:
                raise TypeError(f"{name} takes {p.name} by its place only; prompts, completions and columns are given by name")
            elif p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                self.accepted.add(p.name)
                if p.default is p.empty:
                    self.required.append(p.name)

    def __call__(self, columns):
        for name in self.required:
            if name not in columns:
                there = ", ".join(sorted(k for k in columns if k not in ("prompts", "completions"))) or "none"
                raise Unfit(REFUSED, f"{self.name} wants the column {name!r}, which the rows do not have; they have: {there}")
        if not self.takes_all:
            columns = {k: v for k, v in columns.items() if k in self.accepted}
        result = self.call(**columns)
        return self.wait_for(result) if hasattr(result, "__await__") else result

    def wait_for(self, awaitable):
        import asyncio

        async def as_coroutine():
            return await awaitable

        if self.loop is None:  # one for all calls, so that sessions and locks of the file stay usable
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(as_coroutine())


class Batch:
    def __init__(self, memory, n, format):
        at = 0

        def offsets():
            nonlocal at
            part = array.array("Q", memory[at : at + 8 * (n + 1)])
            at += 8 * (n + 1)
            return part

        prompts, completions, metas, tokens = offsets(), offsets(), offsets(), offsets()

        def texts(of):
            nonlocal at
            begin, at = at, at + of[n]
            return [str(memory[begin + of[i] : begin + of[i + 1]], "utf-8", "replace") for i in range(n)]

        self.prompts, self.completions = texts(prompts), texts(completions)
        self.columns = [json.loads(m) if m else {} for m in texts(metas)]
        if format == "messages":
            rows = zip(self.prompts, self.columns)
            self.prompts = [c["prompt"] if isinstance(c.get("prompt"), list) else [{"role": "user", "content": p}] for p, c in rows]
            self.completions = [[{"role": "assistant", "content": c}] for c in self.completions]
        at = (at + 7) // 8 * 8
        ids = array.array("i", memory[at : at + 4 * tokens[n]])
        self.ids = [ids[tokens[i] : tokens[i + 1]].tolist() for i in range(n)] if tokens[n] else None

    def of(self, places):
        """The arguments for these samples."""
        out = {"prompts": [self.prompts[i] for i in places], "completions": [self.completions[i] for i in places]}
        if self.ids is not None:
            out["completion_ids"] = [self.ids[i] for i in places]
        for key in dict.fromkeys(k for i in places for k in self.columns[i]):
            if key not in ("prompt", "completion"):  # as in TRL
                out.setdefault(key, [self.columns[i].get(key) for i in places])
        return out


def rewards_of(function, batch, places):
    """One value for each of the samples."""
    result = function(batch.of(places))
    is_list = hasattr(result, "__iter__") and not isinstance(result, (str, bytes, dict, set))
    if is_list and getattr(result, "ndim", 1) == 0:  # a single number of NumPy or PyTorch
        is_list = False
    if not is_list:
        raise Unfit(CRASHED, f"{function.name} returned {shown(result)}, not a list with one number for each completion")
    result = list(result)
    if len(result) != len(places):
        raise Unfit(CRASHED, f"{function.name} returned {len(result)} rewards for {len(places)} completions")
    return result


def shown(value):
    try:
        return printable(f"{value!r:.100}")
    except Exception:  # its __repr__ raises
        return f"an object of type {type(value).__name__}"


def judge(value):
    """Reward, status and reason of what the function returned for one sample."""
    if value is None:
        return 0.0, NOT_APPLICABLE, "it returned None"
    try:
        number = None if isinstance(value, (str, bytes)) else float(value)
    except Exception:
        number = None
    if number is None:
        return 0.0, CRASHED, f"it returned {shown(value)}, not a number"
    if not math.isfinite(number):
        return 0.0, CRASHED, f"it returned {number}, not a finite number"
    return number, OK, ""


def outcomes_of(function, batch, places):
    """Of each sample (reward, status, reason). Where the batch raises, each sample is tried alone, so that it costs its own reward only."""
    try:
        return [judge(value) for value in rewards_of(function, batch, places)]
    except Unfit as error:
        return [(0.0, error.status, printable(str(error)))] * len(places)
    except BaseException as error:  # SystemExit too: the answer must come
        if own_pid != os.getpid():
            raise
        if len(places) == 1:
            return [(0.0, CRASHED, last_line(error))]
    return [outcomes_of(function, batch, [i])[0] for i in places]


def score(function, memory, n, format):
    results = outcomes_of(function, Batch(memory, n, format), range(n))
    if own_pid != os.getpid():
        os._exit(0)  # a child that the function left behind comes back here, too
    memory[: 8 * n] = array.array("d", [r[0] for r in results]).tobytes()
    memory[8 * n : 9 * n] = bytes(r[1] for r in results)
    return {str(i): r[2] for i, r in enumerate(results) if r[2]}


def leave_with_the_host():
    """The commands cannot be watched while a function runs. Takes along what the function has started."""
    os.read(6, 1)
    os.killpg(0, 9)


def main():
    sys.stdout = sys.stderr  # what the function prints is no answer
    threading.Thread(target=leave_with_the_host, daemon=True).start()
    try:
        function = Function(load(sys.argv[1], sys.argv[2]), sys.argv[2])
    except BaseException as error:
        return answer(error=last_line(error))
    answer(ready=1)
    memory = None
    for line in commands:
        command = json.loads(line)
        if memory is None or len(memory) != command["size"]:
            memory = mmap.mmap(memory_fd, command["size"])
        reasons = score(function, memory, command["n"], sys.argv[3])
        answer(call=command["call"], reasons=reasons)


main()
