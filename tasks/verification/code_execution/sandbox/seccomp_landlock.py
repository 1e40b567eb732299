"""Isolates a process with unprivileged Linux features: seccomp for network and processes, Landlock for files.

Neither needs root, a namespace or another program, and neither can be undone. System calls are on an allow-list: calls
for network and processes kill, changes of the file system are refused, and calls that are not listed fail with ENOSYS,
for which libraries have a fallback. Call numbers are those of <asm/unistd.h>, rights those of <linux/landlock.h>.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""For each machine, its column in the lists of calls and its audit number in the kernel."""
_X32 = 0x40000000
"""Call numbers from here on belong to x32, another ABI of x86_64."""

ALLOWED_CALLS = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, close 3 57, close_range 436 436,
lseek 8 62, stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291, access 21 -, faccessat 269 48,
faccessat2 439 439, getdents64 217 61, getcwd 79 17, chdir 80 49, readlink 89 -, readlinkat 267 78, unlink 87 -,
unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -,
pipe2 293 59, poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, fsync 74 82, fdatasync 75 83, ftruncate 77 46,
fadvise64 221 223, umask 95 166, mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233,
brk 12 214, futex 202 98, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, sigaltstack 131 132,
pause 34 -, setitimer 38 103, getitimer 36 102, alarm 37 -, nanosleep 35 101, clock_nanosleep 230 115,
clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153, getpid 39 172,
getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158,
getpgrp 111 -, uname 63 160, sysinfo 99 179, getrusage 98 165, getrlimit 97 163, getrandom 318 278,
sched_yield 24 124, sched_getaffinity 204 123, getcpu 309 168, set_robust_list 273 99, rseq 334 293, exit 60 93,
exit_group 231 94, restart_syscall 219 128
"""
KILLED_CALLS = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, sendto 44 206, sendmsg 46 211, fork 57 -, vfork 58 -,
clone 56 220, clone3 435 435, execve 59 221, execveat 322 281, ptrace 101 117, process_vm_readv 310 270,
process_vm_writev 311 271, kill 62 129, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240,
pidfd_open 434 434, pidfd_send_signal 424 424, pidfd_getfd 438 438, unshare 272 97, setns 308 268, mount 165 40,
bpf 321 280, io_uring_setup 425 425, keyctl 250 219, add_key 248 217, setrlimit 160 164, perf_event_open 298 241,
userfaultfd 323 282, init_module 175 105, finit_module 313 273, kexec_load 246 104, open_by_handle_at 304 265
"""
"""Calls that kill the program. Threads count as processes: no limit on them also binds root, so a program could
start any number."""
REFUSED_CALLS = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54,
truncate 76 45, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, mkdir 83 -, mkdirat 258 34, rmdir 84 -,
mknod 133 -, mknodat 259 33, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -, setxattr 188 5,
lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, chroot 161 51, memfd_create 319 279, shmget 29 194, creat 85 -
"""
"""Calls that fail with EPERM. Landlock does not cover modes, owners, times or memory that outlives its process."""

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_OFFSET, _MACHINE_OFFSET = 0, 4
"""Offsets in `struct seccomp_data`, in bytes. Its arguments start at 16 and take eight bytes each."""
_LIBC = ctypes.CDLL(None, use_errno=True)
# The first is also in infra/engines/common/child_processes.py: neither may import the other.
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_CAPABILITY_VERSION = 0x20080522
"""Version 3 of the `capset` call."""

WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_REG = (1 << bit for bit in (1, 2, 3, 5, 8))
ALL_RIGHTS = (1 << 13) - 1
"""All rights of Landlock's first version (Linux 5.13). Seccomp covers what later versions add, on every kernel."""
READ_RIGHTS = READ_FILE | READ_DIR
FOLDER_RIGHTS = READ_RIGHTS | WRITE_FILE | REMOVE_FILE | MAKE_REG
"""Rights on files, but not to make folders, links, pipes or sockets, so the folder stays flat and quick to measure."""
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446


class ArgumentCheck(NamedTuple):
    """A check that a 32-bit word of a call's arguments, after `mask`, has one of `values`."""

    offset: int
    mask: int
    values: tuple[int, ...]


class ArgumentRule(NamedTuple):
    """A call that is allowed if all its checks hold, and otherwise gets `else_action`."""

    number: int
    checks: tuple[ArgumentCheck, ...]
    else_action: int


def restrict(folder: str, readable: Sequence[str]) -> list[str]:
    """Restrict this process for good to files in `folder` and reading in `readable`: no network, no other process.

    Returns the restrictions that the kernel refused; if the list is empty, the process is isolated.
    """
    files = [(folder, FOLDER_RIGHTS), (os.devnull, READ_FILE | WRITE_FILE), *((path, READ_RIGHTS) for path in readable)]
    missing = []
    for name, apply in (
        ("no powers", _drop_privileges),
        ("Landlock", lambda: _apply_landlock(files)),
        ("seccomp", _apply_seccomp),
    ):
        try:
            apply()
        except OSError as error:
            missing.append(f"{name}: {error.strerror}")
    return missing


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends; at once, if the parent has ended already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _raise_on_error(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _drop_privileges() -> None:
    """Drop all capabilities of root, such as raising a limit, and the ways to regain them."""
    _raise_on_error(_LIBC.capset(struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)))
    _raise_on_error(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _apply_landlock(rules: Sequence[tuple[str, int]]) -> None:
    call = _LIBC.syscall
    attributes = struct.pack("=Q", ALL_RIGHTS)
    ruleset = _raise_on_error(call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for path, rights in rules:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights = rights if Path(path).is_dir() else rights & (READ_FILE | WRITE_FILE)
        _raise_on_error(call(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0))
        os.close(descriptor)
    _raise_on_error(call(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _apply_seccomp() -> None:
    if platform.machine() not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"its calls are not listed for {platform.machine()}")
    instructions = build_filter(os.getpid(), platform.machine())
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    filter_struct = struct.pack("@HP", len(instructions) // 8, ctypes.addressof(buffer))  # struct sock_fprog
    _raise_on_error(_LIBC.prctl(_PR_SET_SECCOMP, 2, filter_struct, 0, 0))


def build_filter(pid: int, machine: str) -> bytes:
    """The seccomp filter for process `pid`, as classic BPF: eight bytes per instruction."""
    column, audit = ARCHITECTURES[machine]
    code = [
        (_LOAD, 0, 0, _MACHINE_OFFSET),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
    ]
    code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)] if column == 0 else []
    for calls, action in ((ALLOWED_CALLS, _ALLOW), (KILLED_CALLS, _KILL), (REFUSED_CALLS, _ERRNO | errno.EPERM)):
        for number in list_call_numbers(calls, column):
            code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    for rule in list_argument_rules(column, pid):
        body = _compile_rule(rule)
        code += [(_EQUAL, 0, len(body), rule.number), *body]
    code.append((_RETURN, 0, 0, _ERRNO | errno.ENOSYS))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def list_call_numbers(calls: str, column: int) -> Iterator[int]:
    """Numbers of the listed calls on one architecture, without those that do not exist there."""
    for call in calls.split(","):
        if (number := call.split()[1 + column]) != "-":
            yield int(number)


def _compile_rule(rule: ArgumentRule) -> list[tuple[int, int, int, int]]:
    code = []
    for check in rule.checks:
        code += [(_LOAD, 0, 0, check.offset), (_AND, 0, 0, check.mask)]
        code += [(_EQUAL, len(check.values) - at, 0, value) for at, value in enumerate(check.values)]
        code.append((_RETURN, 0, 0, rule.else_action))
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def list_argument_rules(column: int, pid: int) -> Iterator[ArgumentRule]:
    """Rules for calls that are harmless only with some arguments."""
    open_flags = (0, 1, 2, 1 | os.O_TRUNC, 2 | os.O_TRUNC)  # O_TRUNC alone would empty a read-only file
    ioctl_requests = (0x5401, 0x5413, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX
    fcntl_commands = (
        0,
        1,
        2,
        3,
        4,
        1030,
    )  # duplicate, flags; not F_SETOWN, by which the kernel signals other processes
    yield from (
        ArgumentRule(
            (257, 56)[column],
            (ArgumentCheck(_get_argument_offset(2), 3 | os.O_TRUNC, open_flags),),
            _ERRNO | errno.EPERM,
        ),  # openat
        ArgumentRule(
            (16, 29)[column],
            (ArgumentCheck(_get_argument_offset(1), 0xFFFFFFFF, ioctl_requests),),
            _ERRNO | errno.ENOTTY,
        ),  # ioctl
        ArgumentRule(
            (72, 25)[column],
            (ArgumentCheck(_get_argument_offset(1), 0xFFFFFFFF, fcntl_commands),),
            _ERRNO | errno.EPERM,
        ),  # fcntl
        ArgumentRule(
            (234, 131)[column], (ArgumentCheck(_get_argument_offset(0), 0xFFFFFFFF, (pid,)),), _KILL
        ),  # tgkill: to abort
        # prlimit64 may ask: the pointer to new limits is null, in both of its words
        ArgumentRule(
            (302, 261)[column],
            (
                ArgumentCheck(_get_argument_offset(2), 0xFFFFFFFF, (0,)),
                ArgumentCheck(_get_argument_offset(2) + 4, 0xFFFFFFFF, (0,)),
            ),
            _KILL,
        ),
    )
    if column == 0:
        yield ArgumentRule(
            2, (ArgumentCheck(_get_argument_offset(1), 3 | os.O_TRUNC, open_flags),), _ERRNO | errno.EPERM
        )  # open, for musl


def _get_argument_offset(index: int) -> int:
    """Offset of the low word of an argument; both architectures are little-endian."""
    return 16 + 8 * index
