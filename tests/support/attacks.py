"""Programs that try to harm the machine that runs them, each with the ways in which it may end."""

from typing import NamedTuple


class Attack(NamedTuple):
    """A program, and its possible endings: `reason` or `reason detail`."""

    name: str
    program: str
    allowed_results: frozenset[str]


def _make_attack(name: str, program: str, *endings: str) -> Attack:
    return Attack(name, program.strip() + "\n", frozenset(endings))


NETWORK = "forbidden network"
PROCESS = "forbidden process"
FILE = "forbidden file"
CALL = "forbidden system call"

ATTACKS = (
    _make_attack("fork bomb", "import os\nwhile True: os.fork()", PROCESS),
    _make_attack("endless loop", "while True: pass", "timeout"),
    _make_attack("endless sleep", "import time\ntime.sleep(1e6)", "timeout"),
    _make_attack("endless power", "print(7 ** 10 ** 9)", "timeout", "memory"),
    _make_attack("allocation of 10 GB", "x = bytearray(10 << 30)", "memory"),
    _make_attack("growing list", "x = []\nwhile True: x.append('x' * 10**6 + str(len(x)))", "memory"),
    _make_attack("doubling text", "x = 'bomb'\nwhile True: x += x", "memory"),
    _make_attack(
        "decompression bomb", "import zlib\nd = zlib.compress(bytes(2**20))\nx = zlib.decompress(d) * 2**14", "memory"
    ),
    _make_attack("endless output", "while True: print('flood')", "output printed"),
    _make_attack("one large line", "import sys\nsys.stdout.write('x' * 10**7)", "output printed"),
    _make_attack("endless complaints", "import sys\nwhile True: sys.stderr.write('flood')", "output printed"),
    _make_attack("endless notes", "import os\nwhile True: os.write(3, b'x' * 4096)", "timeout"),
    _make_attack("reading /etc/passwd", "print(open('/etc/passwd').read())", FILE),
    _make_attack("listing the root", "import os\nprint(os.listdir('/'))", FILE),
    _make_attack("leaving by dots", "print(open('../' * 20 + 'etc/passwd').read())", FILE),
    _make_attack("changing folder", "import os\nos.chdir('/etc')\nprint(open('passwd').read())", FILE),
    _make_attack("the parent's environment", "import os\nprint(open(f'/proc/{os.getppid()}/environ').read())", FILE),
    _make_attack("its own memory map", "print(open('/proc/self/maps').read())", FILE),
    _make_attack("environment secret", "import os\nprint(os.environ['QUESTMILL_TEST_SECRET'])", "error KeyError"),
    _make_attack("socket", "import socket\nsocket.create_connection(('127.0.0.1', 9))", NETWORK),
    _make_attack("request", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')", NETWORK),
    _make_attack("local socket", "import socket\nsocket.socketpair()", CALL),
    _make_attack(
        "caught socket", "import socket\ntry: socket.socket()\nexcept BaseException: pass\nprint(42)", NETWORK
    ),
    _make_attack("writing outside", "open('../outside', 'w').write('x')", FILE),
    _make_attack("writing to the library", "import os\nopen(os.__file__, 'a').write('x')", FILE),
    _make_attack("link out of the folder", "import os\nos.symlink('/etc/passwd', 'x')\nprint(open('x').read())", FILE),
    _make_attack("hard link into the folder", "import os\nos.link(os.__file__, 'x')", FILE),
    _make_attack("changing a mode", "import os\nos.chmod('..', 0o777)", FILE),
    _make_attack("changing a time", "import os\nos.utime(os.__file__)", FILE),
    _make_attack("a folder in the folder", "import os\nos.mkdir('x')", FILE),
    _make_attack("many files", "n = 0\nwhile True:\n    open(str(n), 'w').write('x')\n    n += 1", "output files"),
    _make_attack("a large file", "f = open('x', 'wb')\nwhile True: f.write(bytes(2**20))", "output files"),
    _make_attack("open files", "import os\nkept = [open(str(n), 'w') for n in range(100)]", "output files"),
    _make_attack("shared memory", "import os\nos.memfd_create('x')", FILE),
    _make_attack("exec", "import os\nos.execve('/bin/sh', ['sh', '-c', 'echo 42'], {})", PROCESS),
    _make_attack("shell", "import os\nos.system('echo 42')", PROCESS),
    _make_attack("subprocess", "import subprocess\nsubprocess.run(['echo', '42'])", PROCESS),
    _make_attack("daemon", "import os\nif not os.fork():\n    os.setsid()\n    while True: pass", PROCESS),
    _make_attack("threads", "import threading\nwhile True: threading.Thread(target=input).start()", PROCESS, CALL),
    _make_attack("pool", "import multiprocessing as m\nm.Process(target=print).start()", PROCESS),
    _make_attack("signal to the parent", "import os\nos.kill(os.getppid(), 9)", PROCESS),
    _make_attack("signal to all", "import os\nos.kill(-1, 9)", PROCESS),
    _make_attack("signal to the group", "import os\nos.killpg(0, 9)", PROCESS),
    _make_attack("signal by a file", "import fcntl, os\nfcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())", FILE),
    _make_attack(
        "raising a limit", "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (-1, -1))\nwhile True: pass", CALL
    ),
    _make_attack(
        "outliving the alarm",
        "import signal as s\nfor n in s.valid_signals() - {9, 19}: s.signal(n, s.SIG_IGN)\nwhile True: pass",
        "timeout",
    ),
    _make_attack("stopping itself", "import signal\nsignal.raise_signal(signal.SIGSTOP)", "timeout"),
    _make_attack("closing its pipes", "import os\nos.closerange(0, 100)\nwhile True: pass", "timeout"),
    _make_attack("raw socket call", "import ctypes\nctypes.CDLL(None).socket(2, 1, 0)\nprint(42)", CALL),
    _make_attack("raw fork", "import ctypes\nctypes.CDLL(None).fork()\nprint(42)", CALL),
    _make_attack(
        "undoing the walls",
        "import ctypes\nprint(42 / (1 + ctypes.CDLL(None).prctl(22, 0)))",
        "error ZeroDivisionError",
    ),
    _make_attack("tracing the parent", "import ctypes, os\nctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)", CALL),
    _make_attack("recursion", "def f(n): return f(n + 1)\nf(0)", "error RecursionError"),
    _make_attack(
        "recursion without limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
        *("timeout", "memory", "error SIGSEGV", "error SystemError", "error RecursionError"),
    ),
    _make_attack("nested brackets", "x = eval('(' * 10**5 + ')' * 10**5)", "error SyntaxError", "memory"),
    _make_attack("null pointer", "import ctypes\nctypes.string_at(0)", "error SIGSEGV"),
    _make_attack("abort", "import os\nos.abort()", "error SIGABRT"),
    _make_attack("leaving early", "import os\nos._exit(7)", "error exit code 7"),
    _make_attack("waiting for input", "print(input())", "error EOFError"),
    _make_attack("a deep note", "import os\nos.write(3, b'[' * 4000 + b'\\n')", "no_output"),
    _make_attack("a false note", 'import os\nos.write(3, b\'{"open": "x"}\\n[]\\n7\\n\\xff\\n\')', "no_output"),
)

OTHER_ABI_PROGRAM = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("{machine_code}"))
print(ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""
"""Runs x86_64 machine code that asks the kernel in another way, past a list of 64-bit calls."""
X86_ATTACKS = (
    # mov eax, 2 (fork); int 0x80; ret
    _make_attack(
        "fork by a 32-bit call", OTHER_ABI_PROGRAM.format(machine_code="b802000000cd80c3"), CALL, "error SIGSEGV"
    ),
    # mov eax, 0x40000039 (fork of x32); syscall; ret
    _make_attack("fork by an x32 call", OTHER_ABI_PROGRAM.format(machine_code="b8390000400f05c3"), CALL),
)

HARMLESS_PROGRAMS = (
    ("print(42)", "42"),
    ("import math\nprint(math.comb(10, 3))", "120"),
    ("from fractions import Fraction\nprint(Fraction(1, 3) + Fraction(1, 6))", "1/2"),
    ("import statistics\nprint(statistics.median([3, 1, 2]))", "2"),
    ("from decimal import Decimal\nprint(Decimal('0.1') * 3)", "0.3"),
    ("import itertools, collections, functools, datetime, random, re, string, heapq\nprint(7)", "7"),
    ("import hashlib\nprint(len(hashlib.sha256(b'').hexdigest()))", "64"),
    ("if __name__ == '__main__':\n    print('so it is')\n    print(5)", "5"),
    ("def f(n): return 1 if n < 2 else n * f(n - 1)\nprint(f(500) % 1009)", "803"),
    ("open('notes', 'w').write('9')\nprint(open('notes').read())", "9"),
    ("import sys\nprint(11)\nsys.exit()", "11"),
    ("print(12)\nexit()", "12"),
    ("import sys\nprint(14)\nsys.stdout.close()", "14"),
    ("import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): print(1)\nprint(15)", "15"),
    ("import datetime\nprint((datetime.date(2024, 3, 1) - datetime.date(2024, 2, 1)).days)", "29"),
    ("class P:\n    def __repr__(self): return '13'\nprint(P())", "13"),
    ("print('é')", "é"),
)
"""Programs that do no harm, and the last line that each prints."""
