// More of the list: processes, memory and time in C++, files and compilers, other processes, and what a solution may try on its verdict.
// SPDX-License-Identifier: Apache-2.0
#include "attacks.h"

namespace tenon::attack {

namespace {

constexpr Form kStdio = Form::kStdio, kFunction = Form::kFunction, kApart = Form::kApart;

// A system call by number that must fail.
std::string py_call(const std::string& arguments) {
  return py_try("1 / (ctypes.CDLL(None).syscall(" + arguments + ") + 1)");
}

}  // namespace

std::vector<Attack> more_of_processes(const std::string&) {
  return {
      {"processes", "vfork loop", "cpp", kStdio, cpp("int main() { for (;;) if (vfork() == 0) _exit(0); }\n"),
       "time|runtime_error"},
      {"processes", "daemon: double fork, setsid", "cpp", kStdio,
       cpp("int main() { if (fork() == 0) { setsid(); if (fork() == 0) for (;;) pause(); _exit(0); } "
           "puts(\"3\"); "
           "}\n"),
       "ok"},
      {"processes", "threads with small stacks", "python", kStdio,
       "import threading, time\nthreading.stack_size(32768)\nwhile True:\n    try: "
       "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    except RuntimeError: "
       "time.sleep(0.01)\n",
       "time|memory"},
      {"processes", "execve of a shell", "cpp", kStdio,
       cpp("int main() { execl(\"/bin/sh\", \"sh\", \"-c\", \"id; id\", nullptr); }\n"),
       "wrong|runtime_error"},
      {"memory", "huge string", "python", kStdio, "x = 'x' * 10**12\n", "memory"},
      {"memory", "mmap", "cpp", kStdio,
       cpp("#include <sys/mman.h>\nint main() { for (;;) { void* p = mmap(nullptr, 1 << 26, 3, MAP_PRIVATE | "
           "MAP_ANONYMOUS | MAP_POPULATE, -1, 0); if (p == MAP_FAILED) abort(); } }\n"),
       "runtime_error|memory"},
      {"memory", "file in memory", "cpp", kStdio,
       cpp_try("#include <sys/mman.h>", "memfd_create(\"x\", 0) >= 0"), "ok"},
      {"memory", "an answer of a million values", "python", kFunction,
       "import os, struct\nn = 1 << 25\nbody = b'l' + struct.pack('<Q', n) + b'N' * n\nframe = "
       "struct.pack('<Q', "
       "len(body)) + body\ndef f(x):\n    os.write(4, frame)\n    return x + 1\n",
       "runtime_error|output_limit|memory"},
      {"memory", "result that nests deeply", "python", kFunction,
       "def f(x):\n    for _ in range(10**5): x = [x]\n    return x\n", "wrong|runtime_error"},
      {"memory", "result that contains itself", "python", kFunction,
       "def f(x):\n    x = [x]\n    x.append(x)\n    return x\n", "wrong|runtime_error"},
      {"memory", "integer of 10^8 digits", "python", kFunction, "def f(x): return 1 << 10**8\n",
       "wrong|runtime_error"},
      {"time", "signals ignored", "cpp", kStdio,
       cpp("int main() { for (int s = 1; s < 65; ++s) signal(s, SIG_IGN); for (;;) {} }\n"), "time"},
      {"time", "constexpr without end", "cpp", kStdio,
       "constexpr unsigned long f(unsigned long n) { unsigned long s = 0; for (unsigned long i = 0; i < n; "
       "++i) for "
       "(unsigned long j = 0; j < n; ++j) s += i * j; return s; }\nstatic_assert(f(1ul << 30) == 0);\nint "
       "main() {}\n",
       "compile_error"},
      {"time", "includes itself", "cpp", kStdio, "#include __FILE__\n#include __FILE__\nint main() {}\n",
       "compile_error"},
      {"time", "a test process that is kept busy", "python", kApart,
       "def f(x): return {k * (2**61 - 1) for k in range(10**5)}\n", "time|runtime_error|wrong"},
      {"output", "flood of errors", "cpp", kStdio,
       cpp("int main() { for (;;) fputs(\"xxxxxxxx\", stderr); }\n"), "output_limit"},
  };
}

std::vector<Attack> more_of_files(const std::string& secret) {
  return {
      {"reading", "/proc by every name", "python", kStdio,
       py_each("('self/mem', 'self/environ', 'self/cmdline', '1/cmdline', 'cpuinfo', 'kallsyms')",
               "open('/proc/' + x, 'rb').read(1)"),
       "ok"},
      {"reading", "homes, logs, sockets", "python", kStdio,
       "import os\nfound = []\nfor d in ('/root', '/home', '/var', '/run', '/etc/ssl', '/sys', '/proc', "
       "'/mnt', "
       "'/opt'):\n    try: found += os.listdir(d)\n    except OSError: pass\nprint(found or 3)\n",
       "ok"},
      {"reading", "the secret", "cpp", kStdio,
       cpp_try("#include <fcntl.h>", "open(\"" + secret + "\", O_RDONLY) >= 0"), "ok"},
      {"reading", "the compiler's /proc", "cpp", kStdio,
       "asm(\".incbin \\\"/proc/self/environ\\\"\");\n#include <stdio.h>\nint main() { puts(\"3\"); }\n",
       "compile_error"},
      {"reading", "#include of a device", "cpp", kStdio, "#include \"/dev/zero\"\nint main() {}\n",
       "compile_error"},
      {"reading", "#include of /etc/passwd", "cpp", kStdio, "#include \"/etc/passwd\"\nint main() {}\n",
       "compile_error"},
      {"writing", "sparse file, many files", "cpp", kStdio,
       cpp_try("#include <fcntl.h>\n#include <sys/stat.h>",
               "open(\"x\", O_CREAT | O_RDWR, 0600) >= 0 || mkdir(\"d\", 0700) == 0 || open(\"/shared/x\", "
               "O_CREAT | "
               "O_RDWR, 0600) >= 0"),
       "ok"},
      {"writing", "the headers that are compiled beforehand", "cpp", kStdio,
       cpp_try("#include <fcntl.h>\n#include <stdio.h>",
               "open(\"/shared/tenon_everything.h.gch\", O_WRONLY) >= 0 || "
               "rename(\"/shared/tenon_everything.h.gch\", "
               "\"/shared/x\") == 0"),
       "ok"},
      {"writing", "leases and open-file locks", "python", kStdio,
       py_each("(1024, 37)", "fcntl.fcntl(os.open('/usr/bin/env', 0), x, 0)"), "ok"},
      {"writing", "the interpreter's own files", "python", kStdio,
       py_each("('os.py', 'sitecustomize.py')", "open(os.path.join(os.path.dirname(os.__file__), x), 'a')"),
       "ok"},
      {"network", "names", "python", kStdio, py_try("socket.getaddrinfo('localhost', 80)"), "ok"},
      {"network", "raw socket, path socket", "python", kStdio,
       py_each("((2, 3, 1), (1, 1, 0))", "socket.socket(*x)"), "ok"},
      {"network", "socket pair, then a message", "cpp", kStdio,
       cpp_try("#include <sys/socket.h>",
               "[] { int f[2]; return socketpair(AF_UNIX, SOCK_DGRAM, 0, f) == 0; }()"),
       "ok"},
  };
}

std::vector<Attack> more_of_others(const std::string&) {
  return {
    {"others", "process_vm_writev", "python", kStdio, py_call("311, os.getppid(), 0, 0, 0, 0, 0"), "ok"},
        {"others",
         "personality, keyring, modules",
         "cpp",
         kStdio,
         cpp_try("#include <sys/personality.h>", "personality(ADDR_NO_RANDOMIZE) >= 0"),
         "ok"},
        {"others",
         "outliving the judge",
         "python",
         kStdio,
         py_try("1 / (ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) + 1)"),
         "ok"},
        {"others", "a namespace by clone", "python", kStdio, py_call("56, 0x10000000 | 17, 0, 0, 0, 0"),
         "ok"},
        {"others",
         "a signal by queue",
         "python",
         kStdio,
         "import ctypes, os\nctypes.CDLL(None).syscall(129, os.getppid(), 9, 0)\nprint('worked')\n",
         "runtime_error"},
        {"others",
         "signal to another thread group",
         "python",
         kStdio,
         py_call("234, os.getppid(), os.getppid(), 9"),
         "ok"},
        {"others",
         "userfaultfd",
         "python",
         kStdio,
         "import ctypes\nctypes.CDLL(None).syscall(323, 0)\nprint('worked')\n",
         "runtime_error"},
#if defined(__x86_64__)
        {"others",
         "a call of the 32-bit kernel",
         "cpp",
         kStdio,
         cpp("int main() { long r = 20; asm volatile(\"int $0x80\" : \"+a\"(r) : : \"memory\"); puts(r > 0 ? "
             "\"worked\" "
             ": \"3\"); }\n"),
         "runtime_error"},
        {"others",
         "a call of the x32 kernel",
         "python",
         kStdio,
         "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)\nprint('worked')\n",
         "runtime_error"},
#endif
        {"others",
         "raised limits",
         "python",
         kStdio,
         "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_CPU, (100, 100)); "
         "print('worked')\nexcept "
         "(OSError, ValueError): print(3)\n",
         "ok"},
        {"others", "a filter of its own", "python", kStdio, py_call("317, 1, 0, 0"), "ok"},
  };
}

std::vector<Attack> more_of_verdicts(const std::string&) {
  return {
      {"verdict", "empty file", "python", kFunction, "\n", "no_code|runtime_error"},
      {"verdict", "exit at the end of import", "python", kFunction,
       "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit\n", "runtime_error"},
      {"verdict", "kills itself", "python", kFunction,
       "import os, signal\ndef f(x): signal.raise_signal(9)\n", "runtime_error|memory"},
      {"verdict", "a thread that goes on", "python", kFunction,
       "import threading, time, os\ndef late():\n    while True:\n        try: os.write(4, b'x' * 64)\n      "
       "  except "
       "OSError: return\nthreading.Thread(target=late, daemon=True).start()\ndef f(x): return 0\n",
       "wrong|runtime_error|output_limit|time"},
      {"verdict", "equal to everything, as text, list, dictionary", "python", kFunction,
       "def make(base):\n    return type('A', (base,), {'__eq__': lambda s, o: True, '__hash__': lambda s: "
       "0})\ndef "
       "f(x): return [make(str)('x'), make(list)(), make(dict)()]\n",
       "wrong"},
      {"verdict", "an object whose repr runs", "python", kFunction,
       "class A:\n    def __repr__(s): return '41972'\n    __str__ = __repr__\n    def __reduce__(s): return "
       "(int, "
       "('41972',))\n    def __index__(s): return 41972\n    __int__ = __index__\ndef f(x): return A()\n",
       "wrong"},
      {"verdict", "traces, then looks up the stack", "python", kFunction,
       "import sys, inspect\nseen = []\ndef tracer(frame, event, arg):\n    seen.extend(v for v in "
       "frame.f_locals.values() if type(v) is int); return tracer\nsys.settrace(tracer)\ndef f(x):\n    for "
       "i in "
       "inspect.stack(): seen.extend(v for v in i.frame.f_locals.values() if type(v) is int)\n    return x + "
       "1 if "
       "41972 in seen else 0\n",
       "wrong"},
      {"verdict", "searches its memory", "python", kFunction,
       "import ctypes, gc\ndef f(x):\n    wanted = (41972).to_bytes(4, 'little')\n    for o in "
       "gc.get_objects():\n    "
       "    if type(o) in (list, tuple, dict) and 41972 in (o.values() if type(o) is dict else o): return "
       "41972\n    "
       "return 0\n",
       "wrong"},
      {"verdict", "reads the driver", "python", kFunction,
       "import sys, os\ndef f(x):\n    main = sys.modules.get('__main__')\n    return 41972 if '41972' in "
       "repr(vars(main)) + repr(sys.argv) + repr(os.environ) else 0\n",
       "wrong"},
      {"verdict", "patches the driver", "python", kFunction,
       "import sys\nfor m in list(sys.modules.values()):\n    for n in ('encode', 'write_frame', "
       "'equals'):\n        "
       "if hasattr(m, n):\n            try: setattr(m, n, lambda *a: b'T')\n            except Exception: "
       "pass\ndef "
       "f(x): return True\n",
       "wrong|runtime_error"},
      {"verdict", "patches eval and compile", "python", kFunction,
       "import builtins\nbuiltins.eval = lambda *a: True\nbuiltins.compile = lambda *a: 'True'\ndef f(x): "
       "return "
       "0\n",
       "wrong|runtime_error"},
      {"verdict", "patches unittest, json, pytest", "python", kFunction,
       "import sys, types\nfor n in ('unittest', 'json', 'pytest', '_pytest'):\n    sys.modules[n] = "
       "types.ModuleType(n)\n__debug__ and None\ndef f(x): return 0\n",
       "wrong"},
      {"verdict", "prints what a judge might look for", "python", kFunction,
       "print('ok', 'PASSED', 'All tests passed', 41972, 2)\ndef f(x): return print(41972)\n", "wrong"},
      {"verdict", "all possible outputs", "python", kStdio, "for k in range(100): print(k)\n", "wrong"},
      {"verdict", "replaced standard output", "python", kStdio,
       "import sys, io\nsys.stdout = io.StringIO()\nprint(3)\n", "wrong"},
      {"verdict", "early exit in the function", "python", kApart, "import os\ndef f(x): os._exit(0)\n",
       "runtime_error"},
      {"verdict", "equal to everything", "python", kApart,
       "class A(int):\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0\ndef f(x): return "
       "A()\n",
       "runtime_error|wrong"},
      {"verdict", "patched builtins", "python", kApart,
       "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = ValueError\ndef f(x): return "
       "0\n",
       "wrong"},
      {"verdict", "raises what the tests catch", "python", kApart, "def f(x): raise EOFError\n",
       "runtime_error"},
      {"verdict", "answers that are none", "python", kApart,
       "import os\nfor k in range(64):\n    try: os.write(4, b'\\xff' * 64)\n    except OSError: pass\ndef "
       "f(x): return "
       "0\n",
       "runtime_error|wrong"},
      {"verdict", "closes the socket", "python", kApart, "import os\nos.close(4)\ndef f(x): return x + 1\n",
       "runtime_error"},
      {"verdict", "NaN", "python", kApart, "def f(x): return float('nan')\n", "wrong"},
      {"verdict", "a length of 2^63", "cpp", kFunction,
       "#include <unistd.h>\nint f(int x) { unsigned long n = 1ul << 63; write(3, &n, 8); _exit(0); }\n",
       "runtime_error"},
      {"verdict", "closes the socket", "cpp", kFunction,
       "#include <unistd.h>\nint f(int x) { close(3); return x + 1; }\n", "runtime_error"},
      {"verdict", "quick_exit, atexit", "cpp", kFunction,
       "#include <stdlib.h>\n#include <unistd.h>\nint f(int x) { atexit([] { _exit(0); }); quick_exit(0); "
       "}\n",
       "runtime_error"},
      {"verdict", "its own exit and __assert_fail", "cpp", kFunction,
       "extern \"C\" void __assert_fail(const char*, const char*, unsigned, const char*) noexcept {}\nextern "
       "\"C\" void "
       "_exit(int) { for (;;) {} }\nint f(int x) { return 0; }\n",
       "wrong|compile_error|time"},
      {"verdict", "operators for everything", "cpp", kFunction,
       "struct A { int v; template <class T> bool operator==(const T&) const { return true; } operator int() "
       "const "
       "{ return v; } };\nA g(int x) { return A{0}; }\nint f(int x) { return g(x); }\n",
       "wrong"},
      {"verdict", "leaves the entry's namespace", "cpp", kFunction,
       "int f(int x) { return 0; }\n}}}}\nint main() { return 0; }\n#if 0\n", "compile_error"},
      {"verdict", "empty file", "cpp", kFunction, "\n", "no_code|compile_error"},
  };
}

}  // namespace tenon::attack
