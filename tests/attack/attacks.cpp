// The list: processes, memory, time, output, network, reading, writing, other processes, verdicts.
// SPDX-License-Identifier: Apache-2.0
#include "attacks.h"

namespace tenon::attack {

// Tries something that must not work: prints "3", as asked for, if it did not, "worked" if it did.
std::string py_try(const std::string& what) {
  return "import os, sys, socket, ctypes, signal, mmap, subprocess, fcntl\ntry:\n    r = (" + what +
         ")\n    print('worked', r)\nexcept BaseException as e:\n    print(3)\n";
}
std::string py_each(const std::string& values, const std::string& what) {
  return "import os, sys, socket, ctypes, signal, mmap, subprocess, fcntl\nworked = []\nfor x in " + values +
         ":\n    try:\n        worked.append((x, " + what +
         "))\n    except BaseException as e:\n        pass\nprint('worked', worked) if worked else "
         "print(3)\n";
}
std::string cpp_try(const std::string& includes, const std::string& what) {
  return includes + "\n#include <stdio.h>\nint main() { puts((" + what + ") ? \"worked\" : \"3\"); }\n";
}
std::string cpp(const std::string& body) {
  return "#include <bits/stdc++.h>\n#include <unistd.h>\n#include <signal.h>\nusing namespace std;\n" + body;
}

std::vector<Attack> attacks(const std::string& secret, int port) {
  const std::string p = std::to_string(port);
  constexpr Form kStdio = Form::kStdio, kFunction = Form::kFunction;
  std::vector<Attack> all{
      {"processes", "fork bomb", "python", kStdio, "import os\nwhile True: os.fork()\n", "runtime_error"},
      {"processes", "fork bomb that goes on", "python", kStdio,
       "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n", "time"},
      {"processes", "daemon: double fork, setsid", "python", kStdio, py_each("(os.fork, os.setsid)", "x()"),
       "ok"},
      {"processes", "thread bomb", "python", kStdio,
       "import threading, time\nts = []\nwhile True:\n    t = threading.Thread(target=time.sleep, "
       "args=(60,)); t.start(); ts.append(t)\n",
       "runtime_error|time|memory"},
      {"processes", "a shell", "python", kStdio,
       py_try("subprocess.run(['/bin/sh', '-c', 'id'], check=True)"), "ok"},
      {"processes", "fork bomb", "cpp", kStdio, cpp("int main() { for (;;) fork(); }\n"), "time"},
      {"processes", "thread bomb", "cpp", kStdio,
       cpp("int main() { for (;;) thread([] { sleep(60); }).detach(); }\n"), "runtime_error|time|memory"},
      {"memory", "list that grows", "python", kStdio, "x = []\nwhile True: x.append(' ' * 10**6)\n",
       "memory|runtime_error"},
      {"memory", "10**10**8", "python", kStdio, "print(len(str(10**10**8)))\n", "time|memory|runtime_error"},
      {"memory", "deep recursion", "python", kStdio,
       "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)\n",
       "runtime_error|memory|time"},
      {"memory", "shared mapping", "python", kStdio,
       "import mmap\nm = [mmap.mmap(-1, 1 << 28) for _ in range(100)]\nprint(3)\n", "runtime_error|memory"},
      {"memory", "file in memory", "python", kStdio, py_try("os.memfd_create('x')"), "ok"},
      {"memory", "malloc and touch", "cpp", kStdio,
       cpp("int main() { for (;;) memset(malloc(1 << 24), 1, 1 << 24); }\n"), "runtime_error|memory"},
      {"memory", "stack", "cpp", kStdio,
       cpp("int f(volatile int n) { volatile char b[4096]; b[n % 4096] = 1; return f(n + 1) + b[0]; }\nint "
           "main() { return f(0); }\n"),
       "runtime_error|memory"},
      {"memory", "1 GB array in the executable", "cpp", kStdio,
       cpp("char a[1 << 30] = {1};\nint main() { puts(\"3\"); }\n"), "compile_error|memory|runtime_error"},
      {"time", "busy loop", "python", kStdio, "while True: pass\n", "time"},
      {"time", "sleep", "python", kStdio, "import time\ntime.sleep(1000)\n", "time"},
      {"time", "signals ignored", "python", kStdio,
       "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except "
       "(OSError, ValueError): pass\nwhile True: pass\n",
       "time"},
      {"time", "stops itself", "python", kStdio,
       "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nprint(3)\n", "runtime_error|time|ok"},
      {"time", "stops itself", "cpp", kStdio, cpp("int main() { raise(SIGSTOP); puts(\"3\"); }\n"),
       "time|ok"},
      {"time", "loop after the answer", "python", kStdio, "print(3, flush=True)\nwhile True: pass\n", "time"},
      {"time", "templates without end", "cpp", kStdio,
       cpp("template <int N> struct A { static const int v = A<N + 1>::v + A<N + 2>::v; };\nint main() { "
           "return A<0>::v; }\n"),
       "compile_error"},
      {"output", "flood", "python", kStdio, "while True: print('x' * 10**6)\n", "output_limit"},
      {"output", "flood of errors", "python", kStdio,
       "import sys\nwhile True: sys.stderr.write('x' * 10**6)\n", "output_limit"},
      {"output", "one endless line", "cpp", kStdio, cpp("int main() { for (;;) putchar('x'); }\n"),
       "output_limit"},
      {"output", "closes its output", "python", kStdio, "import os\nos.close(1)\nos._exit(0)\n", "wrong"},
      {"output", "binary", "python", kStdio, "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 100)\n",
       "wrong"},
      {"network", "TCP", "python", kStdio, py_try("socket.create_connection(('127.0.0.1', " + p + "), 1)"),
       "ok"},
      {"network", "UDP", "python", kStdio, py_try("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"), "ok"},
      {"network", "abstract unix socket", "python", kStdio,
       py_try("socket.socket(socket.AF_UNIX).bind('\\0x')"), "ok"},
      {"network", "vsock, netlink, packet", "python", kStdio,
       py_each("(40, 16, 17)", "socket.socket(x, socket.SOCK_DGRAM)"), "ok"},
      {"network", "io_uring", "python", kStdio, py_try("1 / (ctypes.CDLL(None).syscall(425, 8, 0) + 1)"),
       "ok"},
      {"network", "TCP", "cpp", kStdio,
       cpp_try("#include <sys/socket.h>", "socket(AF_INET, SOCK_STREAM, 0) >= 0"), "ok"},
      {"reading", "a secret of the judge's", "python", kStdio, py_try("open('" + secret + "').read()"), "ok"},
      {"reading", "/etc/shadow, /etc/passwd", "python", kStdio,
       py_each("('/etc/shadow', '/etc/passwd')", "open(x).read()"), "ok"},
      {"reading", "the judge's process", "python", kStdio,
       py_each("[(i, n) for i in (1, os.getppid()) for n in ('environ', 'cmdline', 'maps')]",
               "open('/proc/%s/%s' % x, 'rb').read(1)"),
       "ok"},
      {"reading", "inherited descriptors", "python", kStdio,
       "import os\nopen_ = []\nfor fd in range(3, 1024):\n    try: os.fstat(fd); open_.append(fd)\n    "
       "except OSError: pass\nprint(open_ or 3)\n",
       "ok"},
      {"reading", "devices", "python", kStdio,
       py_each("('/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda')", "open(x, 'rb').read(1)"), "ok"},
      {"reading", "the secret by #include", "cpp", kStdio, "#include \"" + secret + "\"\nint main() {}\n",
       "compile_error"},
      {"reading", "the secret by .incbin", "cpp", kStdio,
       "asm(\".incbin \\\"" + secret + "\\\"\");\n#include <stdio.h>\nint main() { puts(\"3\"); }\n",
       "compile_error"},
      {"writing", "files anywhere", "python", kStdio,
       "import os\nok = []\nfor d in ('', '/tmp/', '/dev/shm/', '/var/tmp/', '/work/', '/shared/', "
       "'/usr/lib/', '" +
           secret +
           "-'):\n    try: open(d + 'tenon-attack-left', 'w').close(); ok.append(d)\n    except OSError: "
           "pass\nprint(ok or 3)\n",
       "ok"},
      {"writing", "modes, links, nodes", "python", kStdio,
       py_each("(lambda: os.chmod('/', 0o777), lambda: os.symlink('/etc', 'x'), lambda: os.mkfifo('/tmp/x'), "
               "lambda: os.mkdir('d'))",
               "x()"),
       "ok"},
      {"writing", "locks", "python", kStdio, py_try("fcntl.flock(os.open('/usr', 0), 2)"), "ok"},
      {"writing", "setuid file", "cpp", kStdio,
       cpp_try("#include <fcntl.h>\n#include <sys/stat.h>",
               "open(\"/tmp/tenon-attack-left\", O_CREAT | O_WRONLY, 04755) >= 0"),
       "ok"},
      {"others", "kill(-1)", "python", kStdio, py_try("os.kill(-1, 9)"), "ok"},
      {"others", "kill the parent", "python", kStdio, py_try("os.kill(os.getppid(), 9)"), "ok"},
      {"others", "ptrace", "python", kStdio,
       py_try("1 / (ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) + 1)"), "ok"},
      {"others", "unshare, mount, chroot", "python", kStdio,
       py_each("(lambda: 1 / (ctypes.CDLL(None).unshare(0x10000000) + 1), lambda: os.chroot('/'))", "x()"),
       "ok"},
      {"others", "bpf, keyctl, perf_event_open", "python", kStdio,
       "import ctypes\nfor n in (321, 250, 298): ctypes.CDLL(None).syscall(n, 0, 0, 0, 0, "
       "0)\nprint('worked')\n",
       "runtime_error"},
      {"others", "setuid(0)", "cpp", kStdio,
       cpp_try("#include <unistd.h>", "setuid(0) == 0 || setgid(0) == 0"), "ok"},
      {"verdict", "exit(0) at import", "python", kFunction, "import os\nos._exit(0)\n", "runtime_error"},
      {"verdict", "SystemExit", "python", kFunction, "def f(x): raise SystemExit(0)\n", "runtime_error"},
      {"verdict", "equal to everything", "python", kFunction,
       "class A(int):\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    __hash__ = "
       "None\ndef f(x): return A()\n",
       "wrong"},
      {"verdict", "patched builtins", "python", kFunction,
       "import builtins, sys\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = "
       "Exception\nsys.modules.clear()\ndef f(x): return 0\n",
       "wrong"},
      {"verdict", "looks for expected values", "python", kFunction,
       "import gc, sys\ndef f(x):\n    seen = [o for o in gc.get_objects() if isinstance(o, (list, tuple)) "
       "and 41972 in o]\n    fr = sys._getframe()\n    while fr:\n        seen += [v for v in "
       "fr.f_locals.values() if v == 41972]\n        fr = fr.f_back\n    return 41972 if seen else 0\n",
       "wrong"},
      {"verdict", "writes the answers itself", "python", kFunction,
       "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\x01' + b'\\x00' * 7 + b'T')\n    "
       "except OSError: pass\ndef f(x): return 0\n",
       "wrong|runtime_error"},
      {"verdict", "syntax error", "python", kFunction, "def f(x) return x + 1\n", "compile_error"},
      {"verdict", "plants modules for the next", "python", kFunction,
       "import sys\nsys.path.insert(0, '/tmp')\nopen('/tmp/sitecustomize.py', 'w').write('x')\ndef f(x): "
       "return x + 1\n",
       "runtime_error"},
      {"verdict", "_Exit(0)", "cpp", kFunction, "#include <stdlib.h>\nint f(int x) { _Exit(0); }\n",
       "runtime_error"},
      {"verdict", "exit in a constructor", "cpp", kFunction,
       "#include <stdlib.h>\nstruct S { S() { _Exit(0); } } s;\nint f(int x) { return 0; }\n",
       "runtime_error"},
      {"verdict", "assert redefined", "cpp", kFunction,
       "#define assert(x)\n#define main other\nint f(int x) { return 0; }\n", "wrong|compile_error"},
      {"verdict", "own main()", "cpp", kFunction, "int f(int x) { return 0; }\nint main() { return 0; }\n",
       "wrong"},
      {"verdict", "abort", "cpp", kFunction, "#include <stdlib.h>\nint f(int x) { abort(); }\n",
       "runtime_error"},
      {"verdict", "prefix of the output", "python", kStdio, "print('')\n", "wrong"},
  };
  for (auto* more : {more_of_processes, more_of_files, more_of_others, more_of_verdicts})
    for (Attack& a : more(secret)) all.push_back(std::move(a));
  return all;
}

}  // namespace tenon::attack
