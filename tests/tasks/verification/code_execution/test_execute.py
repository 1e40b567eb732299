"""A program does no harm, whatever it tries; it ends in time, with its reason; and what it prints is judged."""

import os
import platform
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from schemas.arrow import conform
from schemas.errors import BadInput, VerifierBroken
from schemas.outcomes import Quarantine, Row
from schemas.tables import verdicts
from tasks.verification.code_execution.execute import EXECUTION_VERDICTS, Execute, ProgramRun
from tasks.verification.code_execution.program_extraction import find_last_line, find_program
from tasks.verification.code_execution.python_output import read_output, to_latex
from tasks.verification.code_execution.sandbox import seccomp_landlock
from tasks.verification.code_execution.sandbox.results import ExecutionResult, Limits, SandboxFailure
from tasks.verification.code_execution.sandbox.sandbox import Sandbox, check_health, describe_interpreter
from tests.support.attacks import ATTACKS, HARMLESS_PROGRAMS, X86_ATTACKS, Attack

ROOT = Path(__file__).parents[4]
SECRET = "QUESTMILL_TEST_SECRET"
TRIES = (*ATTACKS, *(X86_ATTACKS if platform.machine() == "x86_64" else ()))
SHORT = Limits(deadline=4.0, cpu=1, memory=128 << 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    os.environ[SECRET] = "42"
    try:
        box = Sandbox(folder=str(folder))
    except VerifierBroken as error:
        pytest.skip(str(error))
    finally:
        del os.environ[SECRET]
    yield box
    box.close()


def _ended(ending: ExecutionResult | SandboxFailure) -> str:
    assert isinstance(ending, ExecutionResult), ending
    return " ".join(filter(None, (ending.reason, ending.detail)))


def _await_exit(pid: int, seconds: float = 10) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


@pytest.mark.parametrize("attack", TRIES, ids=lambda attack: attack.name)
def test_an_attack_is_contained_and_reported_with_its_reason(sandbox: Sandbox, folder: Path, attack: Attack) -> None:
    warden, library = sandbox.pid, Path(os.__file__).stat()
    assert warden is not None
    began = time.monotonic()
    ending = sandbox.run(attack.program, SHORT)
    seconds = time.monotonic() - began
    assert _ended(ending) in attack.allowed_results
    assert isinstance(ending, ExecutionResult) and "42" not in ending.printed and "root:" not in ending.printed
    assert len(ending.printed) <= SHORT.output
    assert ending.peak_bytes < SHORT.memory + (64 << 20)
    assert seconds < SHORT.deadline + 1
    assert not list(folder.iterdir()), "its folder is gone, and nothing was written beside it"
    assert sandbox.pid == warden and not psutil.Process(warden).children(recursive=True), "all its processes are gone"
    now = Path(os.__file__).stat()
    assert (now.st_size, now.st_mtime_ns, now.st_nlink) == (library.st_size, library.st_mtime_ns, library.st_nlink)
    assert sandbox.run("print(42)").printed == "42\n"  # type: ignore[union-attr]


@pytest.mark.parametrize(("program", "printed"), HARMLESS_PROGRAMS)
def test_an_honest_program_is_run(sandbox: Sandbox, program: str, printed: str) -> None:
    ending = sandbox.run(program)
    assert _ended(ending) == "ok"
    assert isinstance(ending, ExecutionResult) and find_last_line(ending.printed) == printed
    assert 0 < ending.cpu_seconds < 5 and ending.peak_bytes > 1 << 20 and ending.milliseconds > 0


def test_a_program_finds_nothing_of_the_one_before_it_nor_of_us(sandbox: Sandbox) -> None:
    sandbox.run("import math, builtins\nmath.pi = builtins.left = 3\nopen('left', 'w').write('x')")
    ending = sandbox.run(
        "import math, os, builtins\nprint(dict(os.environ), os.listdir(), hasattr(builtins, 'left'), round(math.pi, 2))"
    )
    assert isinstance(ending, ExecutionResult) and ending.printed == "{} [] False 3.14\n"


def test_the_same_program_prints_the_same(sandbox: Sandbox) -> None:
    program = "import random\nprint(random.random(), {'one', 'two', 'three', 'four', 'five'})"
    first = sandbox.run(program)
    with_another = Sandbox()
    again = with_another.run(program)
    with_another.close()
    assert isinstance(first, ExecutionResult) and isinstance(again, ExecutionResult)
    assert first.printed == again.printed != ""


@pytest.mark.usefixtures("sandbox")
def test_a_machine_is_checked_by_the_canaries() -> None:
    assert 0 < check_health() < 60_000


def test_cpu_time_ends_a_program_before_its_deadline(sandbox: Sandbox) -> None:
    ending = sandbox.run("while True: pass", Limits(deadline=60, cpu=1))
    assert _ended(ending) == "timeout"
    assert isinstance(ending, ExecutionResult) and 0.8 <= ending.cpu_seconds < 2


def test_what_was_printed_before_the_end_is_kept(sandbox: Sandbox) -> None:
    for program in ("print(7, flush=True)\nwhile True: pass", "print(7)\n1 / 0"):
        ending = sandbox.run(program, SHORT)
        assert isinstance(ending, ExecutionResult) and ending.printed == "7\n"
    assert _ended(ending) == "error ZeroDivisionError"


def test_a_warden_that_was_killed_is_replaced(sandbox: Sandbox) -> None:
    killed = sandbox.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert _ended(sandbox.run("print(1)")) == "ok"
    assert sandbox.pid not in (None, killed)


def test_a_warden_that_hangs_is_a_timeout_within_a_second_of_the_deadline(sandbox: Sandbox) -> None:
    hung = sandbox.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    assert _ended(sandbox.run("print(1)", Limits(deadline=0.5))) == "timeout"
    assert time.monotonic() - began < 1.5
    assert _await_exit(hung)
    assert _ended(sandbox.run("print(1)")) == "ok"


def test_a_program_that_ends_its_warden_twice_is_a_failure_and_costs_its_neighbours_nothing(
    sandbox: Sandbox, folder: Path
) -> None:
    done = threading.Event()

    def kill_whoever_runs_it() -> None:
        while not done.wait(0.01):
            for mark in folder.glob("*/here"):
                mark.unlink(missing_ok=True)
                if pid := sandbox.pid:
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_whoever_runs_it)
    killer.start()
    failure = sandbox.run("open('here', 'w')\nwhile True: pass", Limits(deadline=30, cpu=30))
    done.set()
    killer.join()
    assert failure == SandboxFailure("the sandbox ended: it died of SIGKILL", 2)
    assert _ended(sandbox.run("print(1)")) == "ok"
    assert not list(folder.iterdir())


def test_nothing_outlives_a_killed_factory(sandbox: Sandbox, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom tasks.verification.code_execution.sandbox.sandbox import Sandbox, Limits\n"
        f"box = Sandbox(folder={str(tmp_path)!r})\nprint(box.pid, flush=True)\n"
        'box.run(\'open("here", "w")\\nwhile True: pass\', Limits(deadline=600, cpu=600))'
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as factory:
        assert factory.stdout is not None
        warden = psutil.Process(int(factory.stdout.readline()))
        until = time.monotonic() + 30
        while not list(tmp_path.glob("*/here")) and time.monotonic() < until:
            time.sleep(0.01)
        family = [warden, *warden.children()]
        assert len(family) == 2
        factory.kill()
    assert all(_await_exit(process.pid) for process in family)
    assert not list(tmp_path.iterdir())


WITHOUT = """
import ctypes, platform, struct, sys
from tasks.verification.code_execution.sandbox import seccomp_landlock
from tasks.verification.code_execution.sandbox.sandbox import Sandbox
refused = [(0x20, 0, 0, 0), (0x15, 0, 1, {number}), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("=HBBI", *instruction) for instruction in refused)
buffer = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, struct.pack("@HP", len(refused), ctypes.addressof(buffer)), 0, 0)
try:
    Sandbox()
except Exception as error:
    print(type(error).__name__, error)
box = Sandbox(unsafe=True)
print(box.run("print(42)").reason, box.run("import os; os.fork()").reason, box.run("open('/etc/passwd')").reason)
box.close()
"""


def test_a_kernel_that_cannot_contain_programs_is_told_of_and_runs_them_only_if_unsafe(sandbox: Sandbox) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(number=444)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, unsafe = ran.stdout.splitlines()
    assert told.startswith("VerifierBroken this machine cannot contain programs: Landlock: Function not implemented;")
    assert told.endswith("or set unsafe=true to run programs that can reach files and network of this machine")
    assert unsafe == "ok forbidden no_output"  # what can be had is used: processes are refused all the same


SHUT = """
import os, sys
from tasks.verification.code_execution.sandbox import seccomp_landlock
own, beside = sys.argv[1:]
assert not seccomp_landlock.restrict(own, [beside])
tries = {
    "read": lambda: open(beside + "/file").read(),
    "empty": lambda: os.open(beside + "/file", os.O_RDONLY | os.O_TRUNC),
    "write": lambda: open(beside + "/file", "a"),
    "truncate": lambda: os.truncate(beside + "/file", 0),
    "remove": lambda: os.remove(beside + "/file"),
    "move": lambda: os.rename(beside + "/file", own + "/file"),
    "own": lambda: open(own + "/new", "w").write("x"),
}
for name, attempt in tries.items():
    try:
        attempt()
        print(name, "done")
    except PermissionError:
        print(name, "refused")
    except OSError as error:
        print(name, "refused", error.errno)
"""


def test_what_may_be_read_cannot_be_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("own", "beside"):
        (tmp_path / name).mkdir()
    (tmp_path / "beside" / "file").write_text("kept")
    command = [sys.executable, "-c", SHUT, str(tmp_path / "own"), str(tmp_path / "beside")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in told if line.endswith("done")] == ["read done", "own done"]
    assert len(told) == 7
    assert (tmp_path / "beside" / "file").read_text() == "kept"


def _decide(machine: str, number: int, *arguments: int, abi: int | None = None) -> int:
    """What the filter of process 77 says about a call: classic BPF, run as the kernel does."""
    code = list(struct.iter_unpack("=HBBI", seccomp_landlock.build_filter(77, machine)))
    data = {0: number, 4: seccomp_landlock.ARCHITECTURES[machine][1] if abi is None else abi}
    for at in range(6):
        value = arguments[at] if at < len(arguments) else 0
        data |= {16 + 8 * at: value & 0xFFFFFFFF, 20 + 8 * at: value >> 32}
    at = register = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        match operation:
            case 0x20:
                register = data[k]
            case 0x54:
                register &= k
            case 0x15:
                at += yes if register == k else no
            case 0x35:
                at += yes if register >= k else no
            case 0x06:
                return int(k)
            case other:
                raise AssertionError(other)


ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026


@pytest.mark.parametrize("machine", seccomp_landlock.ARCHITECTURES)
def test_the_filter_decides_each_listed_call_as_listed(machine: str) -> None:
    column = seccomp_landlock.ARCHITECTURES[machine][0]
    listed = {
        calls: list(seccomp_landlock.list_call_numbers(calls, column))
        for calls in (seccomp_landlock.ALLOWED_CALLS, seccomp_landlock.KILLED_CALLS, seccomp_landlock.REFUSED_CALLS)
    }
    numbers = [number for calls in listed.values() for number in calls]
    assert len(numbers) == len(set(numbers)), "a call is listed once"
    for calls, answer in (
        (seccomp_landlock.ALLOWED_CALLS, ALLOW),
        (seccomp_landlock.KILLED_CALLS, KILL),
        (seccomp_landlock.REFUSED_CALLS, REFUSE),
    ):
        assert {_decide(machine, number) for number in listed[calls]} == {answer}
    assert _decide(machine, 999) == UNKNOWN
    assert _decide(machine, 1, abi=0x40000003) == KILL


@pytest.mark.parametrize(
    ("call", "arguments", "answer"),
    [
        ("openat", (0, 0, os.O_RDONLY | os.O_CLOEXEC), ALLOW),
        ("openat", (0, 0, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), ALLOW),
        ("openat", (0, 0, os.O_RDONLY | os.O_TRUNC), REFUSE),
        ("tgkill", (77, 77, 6), ALLOW),
        ("tgkill", (78, 78, 6), KILL),
        ("tgkill", (0xFFFFFFFF, 1, 9), KILL),
        ("prlimit64", (0, 0, 0, 1), ALLOW),
        ("prlimit64", (0, 0, 1 << 32, 0), KILL),
        ("prlimit64", (0, 0, 1, 0), KILL),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), 0x50019),
        ("fcntl", (0, 1), ALLOW),
        ("fcntl", (0, 8), REFUSE),
    ],
)
def test_a_call_may_depend_on_its_arguments(call: str, arguments: tuple[int, ...], answer: int) -> None:
    numbers = {"openat": (257, 56), "tgkill": (234, 131), "prlimit64": (302, 261), "ioctl": (16, 29), "fcntl": (72, 25)}
    for machine, number in zip(seccomp_landlock.ARCHITECTURES, numbers[call], strict=True):
        assert _decide(machine, number, *arguments) == answer


def test_every_call_that_is_not_listed_does_not_exist(sandbox: Sandbox) -> None:
    column = seccomp_landlock.ARCHITECTURES[platform.machine()][0]
    listed = {
        n
        for calls in (seccomp_landlock.ALLOWED_CALLS, seccomp_landlock.KILLED_CALLS, seccomp_landlock.REFUSED_CALLS)
        for n in seccomp_landlock.list_call_numbers(calls, column)
    }
    listed |= {rule.number for rule in seccomp_landlock.list_argument_rules(column, 0)}
    listed |= {335, 336} if column == 0 else set()  # uprobes: newer kernels answer with SIGILL, whatever a filter says
    program = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nfound = set()\n"
        f"for number in set(range(600)) - {listed}:\n"
        "    found.add((libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno()))\nprint(found)"
    )
    ending = sandbox.run(program)
    assert isinstance(ending, ExecutionResult) and ending.printed == "{(-1, 38)}\n"


def _row(solution: str, answer: str, row_id: str = "1") -> Row:
    return {"row_id": row_id, "question_id": "q", "question": "?", "solution": solution, "answer": answer}


def _verdict(solution: str, answer: str, **fields: Any) -> Row:
    (row,) = Execute(**fields).rows([_row(solution, answer)], None)
    assert not isinstance(row, Quarantine)
    conform([row], EXECUTION_VERDICTS, "execute")
    return row


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("solution", "answer", "verdict", "ended"),
    [
        ("print(6 * 7)", "42", "correct", "ok"),
        ("print(41)", "42", "wrong", "ok"),
        ("It is simple.\n```python\nprint(6 * 7)\n```\nThat was it.", "so\n#### 42", "correct", "ok"),
        ("print('The answer is', 42)", "42", "correct", "ok"),
        ("print(0.1 + 0.2)", "0.3", "correct", "ok"),
        ("print(10 / 3)", r"\frac{10}{3}", "correct", "ok"),
        ("from fractions import Fraction\nprint(Fraction(10, 12))", r"\frac{5}{6}", "correct", "ok"),
        ("print((1, 2))", "(1,2)", "correct", "ok"),
        ("from sympy import *\nprint(sqrt(12))", r"2\sqrt{3}", "correct", "ok"),
        ("from sympy import *\nx = symbols('x')\nprint(expand((x + 1) ** 3))", "(x+1)^3", "correct", "ok"),
        ("print(42)\nprint()", "42", "correct", "ok"),
        ("from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))", "2,3", "correct", "ok"),
        ("from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 1, x))", r"\pm 1", "correct", "ok"),
        ("from sympy import *\nx = symbols('x')\nprint(solveset(x**2 - 1, x))", r"\{-1,1\}", "correct", "ok"),
        ("print([3, 2])", "(2,3)", "wrong", "ok"),
        ("print([2, 3])", "(2,3)", "unparseable", "ok"),
        ("print(1 / 3)", "0.3333333333333333", "correct", "ok"),
        ("print(1 / 3)", "0.333", "wrong", "ok"),
        ("from sympy import *\nprint(1 + 2*I)", "1+2i", "correct", "ok"),
        ("from sympy import *\nprint(log(2))", r"\ln 2", "correct", "ok"),
        ("from sympy import *\nprint(log(2))", r"\log 2", "unparseable", "ok"),
        ("x = 42", "42", "unparseable", "no_output"),
        ("42 is the answer", "42", "unparseable", "error"),
        ("print(42)\n1 / 0", "42", "unparseable", "error"),
        ("print(open('/etc/passwd').read())", "42", "unparseable", "forbidden"),
        ("import os\nos.fork()", "42", "unparseable", "forbidden"),
        ("x = [0] * 10**10", "42", "unparseable", "memory"),
        ("while True: print(42)", "42", "unparseable", "output"),
        ("while True: pass", "42", "timeout", "timeout"),
        (" \n", "42", "unparseable", None),
        ("```sh\nls\n```", "42", "unparseable", None),
        ("print('\\x00')", "0", "unparseable", "ok"),
        ("print(1)\x00", "1", "unparseable", "error"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_a_program_prints_last_is_held_against_the_gold(
    solution: str, answer: str, verdict: str, ended: str | None
) -> None:
    row = _verdict(solution, answer, cpu_seconds=1, deadline=20)
    assert (row["verdict"], row["ended"]) == (verdict, ended)
    assert ended == "ok" or row["rule"] == (ended or "no_program")


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("solution", "verdict", "ended"),
    [
        ("<think>\n```python\nprint(41)\n```\n</think>\n```python\nprint(42)\n```", "correct", "ok"),
        ("Or 41?\n</think>\nprint(42)", "correct", "ok"),
        ("print('<think>')\nprint(42)", "correct", "ok"),
        ("<think>\n```python\nprint(42)\n```\n</think>\nNo program.", "unparseable", "error"),
        ("<think>\n```python\nprint(42)\n```", "unparseable", None),
        ("```python\nprint(42)\n```\n<think>Is it?", "unparseable", None),
        ("[THINK]```python\nprint(42)\n```", "unparseable", None),
    ],
)
def test_a_program_within_a_thought_is_not_run(solution: str, verdict: str, ended: str | None) -> None:
    row = _verdict(solution, "42", libraries=())
    assert (row["verdict"], row["ended"]) == (verdict, ended)
    assert ended or row["rule"] == "open_thought"


@pytest.mark.usefixtures("sandbox")
def test_the_verdict_is_one_of_a_verifier_and_says_what_it_took() -> None:
    assert list(EXECUTION_VERDICTS)[: len(verdicts.VERDICT_SCHEMA)] == list(verdicts.VERDICT_SCHEMA)
    row = _verdict("print(7)\nprint(42)", "42")
    assert row["printed"] == "7\n42\n" and row["found_by"] == "last_line" and row["gold_parsed"] == "42"
    assert row["verifier"] == "questmill.execute"
    assert row["verifier_version"].startswith(f"{Execute.version} with {describe_interpreter(('sympy',))} ")
    assert row["milliseconds"] > 0 and row["cpu_seconds"] > 0 and row["peak_mib"] > 1
    row = _verdict("1 / 0", "42")
    assert (row["rule"], row["detail"], row["found_by"]) == ("error", "ZeroDivisionError", None)


@pytest.mark.usefixtures("sandbox")
def test_rows_keep_their_order_whatever_becomes_of_them() -> None:
    solutions = ["print(1)", "", "1 / 0", "print(2)", "x = 1"] * 14
    rows = [_row(solution, "1", str(at)) for at, solution in enumerate(solutions)]
    judged = [row for row in Execute(libraries=()).rows(rows, None) if not isinstance(row, Quarantine)]
    assert [row["row_id"] for row in judged] == [str(at) for at in range(70)]
    assert [row["verdict"] for row in judged] == ["correct", "unparseable", "unparseable", "wrong", "unparseable"] * 14


def test_interpreter_and_libraries_are_part_of_the_identity_and_must_be_the_installed_ones() -> None:
    assert Execute().model_dump()["interpreter"] == describe_interpreter(("sympy",))
    assert Execute(libraries=()).interpreter == describe_interpreter(())
    with pytest.raises(ValidationError, match=r"was asked for python 2\.7, but this machine has python 3"):
        Execute(interpreter="python 2.7")
    with pytest.raises(ValidationError, match="'no_such' is not installed; install it, or leave it out of `libraries`"):
        Execute(libraries=("no_such",))
    elsewhere = Execute().model_copy(update={"interpreter": "python 2.7"})
    with pytest.raises(VerifierBroken, match=r"execute was asked for python 2\.7"):
        list(elsewhere.rows([_row("print(1)", "1")], None))


def test_a_column_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="execute: the rows have no column 'code'; name the program's with `column`"):
        list(Execute(column="code").rows([_row("print(1)", "1")], None))


@pytest.mark.parametrize(
    ("solution", "program"),
    [
        ("print(1)", "print(1)"),
        ("```\na\n```\n```python\nb\n```\n```\nc\n```", "b"),
        ("```py\na\n```\n~~~Python\nb\n\nc\n~~~", "b\n\nc"),
        ("```\na\n```\n```output\n1\n```", "a"),
        ("```json\n{}\n```", ""),
        ("cut off\n```python\nprint(1)", "print(1)"),
        ("````python\n'''\n```\n'''\n````", "'''\n```\n'''"),
        ("  ", ""),
    ],
)
def test_the_program_is_the_last_block_of_python(solution: str, program: str) -> None:
    assert find_program(solution) == program


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("18.0", "18.0"),
        ("0.30000000000000004", "0.3"),
        ("5.000000000000001", "5"),
        ("-0.6666666666666666", "-2/3"),
        ("1234.5600000000001", "1234.56"),
        ("33.33", "33.33"),
        ("0.333333", "0.333333"),
        ("12.566370614359172", "12.566370614359172"),
        ("123456789.12345679", "123456789.12345679"),
        ("x**10", "x^{10}"),
        ("2**(1/3)", "2^{1/3}"),
        ("sqrt(2 + sqrt(3))*pi", r"\sqrt{2 + \sqrt{3}}*\pi"),
        ("**42**", "**42**"),
        ("the value of pi", "the value of pi"),
        ("cost: 0.30000000000000004 dollars", "cost: 0.3 dollars"),
        ("(" * 5000, "(" * 5000),
        ("(-oo, -1) U (1, oo)", r"(-\infty, -1) \cup (1, \infty)"),
        ("1.234567890123456e999999999", "1.234567890123456e999999999"),
        ("1.234567890123456e+300", "1.234567890123456e+300"),
    ],
    ids=lambda text: text[:20],
)
def test_a_printed_line_is_read_as_mathematics(line: str, read: str) -> None:
    assert to_latex(line) == read


def _judged(line: str, gold: str) -> Row:
    """The verdict on a printed line, without a program that prints it."""
    (row,) = Execute()._compare_outputs([ProgramRun(_row("", gold), ExecutionResult("ok"), line)])
    assert not isinstance(row, Quarantine)
    return row


LISTS = [
    ("[2, 3]", "2,3", "correct"),
    ("[3, 2]", "2,3", "correct"),
    ("[2, 4]", "2,3", "wrong"),
    ("(2, 3)", "2,3", "correct"),
    ("{2, 3}", "2,3", "correct"),
    ("[-1, 1]", r"\pm 1", "correct"),
    ("(3, 2)", r"\{2,3\}", "correct"),
    ("[sqrt(2), -sqrt(2)]", r"\pm\sqrt{2}", "correct"),
    ("[0.30000000000000004, 1.0]", "0.3, 1", "correct"),
    ("[Fraction(1, 2), Decimal('1.5'), np.int64(3)]", r"\frac12, 1.5, 3", "correct"),
    ("['A', 'E']", "A, E", "correct"),
    ("[5]", "5", "correct"),
    ("[5]", "6", "wrong"),
    ("(5,)", "5", "correct"),
    ("[]", r"\emptyset", "correct"),
    ("[]", "5", "wrong"),
    ("x = [2, 3]", "2,3", "correct"),
    ("The roots are [2, 3].", "2,3", "correct"),
    ("[2, 3] is a list, and so is this", "2,3", "unparseable"),
    ("[2, 3]", "[2,3]", "correct"),
    ("[2, 3]", "[2, 3]", "correct"),
    ("[3, 2]", "[2,3]", "wrong"),
    ("[2, 3]", "(2,3)", "unparseable"),
    ("[2, 3]", "(2,3]", "unparseable"),
    ("(2, 3)", "[2,3]", "unparseable"),
    ("(2, 3)", "(2,3)", "correct"),
    ("(3, 2)", "(2,3)", "wrong"),
    ("[(3, 2)]", "(2,3)", "wrong"),
    ("[1, 2, 3]", "(1,2,3)", "correct"),
    ("[1, 3, 2]", "(1,2,3)", "wrong"),
    ("[(3, 4), (1, 2)]", "(1,2),(3,4)", "correct"),
    ("[(2, 1), (3, 4)]", "(1,2),(3,4)", "wrong"),
    ("[2, 3)", "[2,3)", "correct"),
    ("[2, 3)", "(2,3)", "wrong"),
    ("[[1, 2], [3, 4]]", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "correct"),
    ("Matrix([[1, 2], [4, 3]])", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "wrong"),
    ("Interval.open(2, 3)", "(2,3)", "correct"),
    ("Interval.open(2, 3)", "[2,3]", "wrong"),
    ("Union(Interval.open(-oo, -1), Interval(1, oo))", r"(-\infty,-1)\cup[1,\infty)", "correct"),
    ("(-oo, -1) U (1, oo)", r"(-\infty,-1)\cup(1,\infty)", "correct"),
    ("{x: 2, y: 3}", "(2,3)", "unparseable"),
    ("[2, 3]", r"2 \le x \le 3", "unparseable"),
    ("1,234", "1234", "correct"),
    ("[1,234]", "1,234", "unparseable"),
]
EXPRESSIONS = [
    ("1 + 2*I", "1+2i", "correct"),
    ("1 + 3*I", "1+2i", "wrong"),
    ("(1+2j)", "1+2i", "correct"),
    ("-I", "-i", "correct"),
    ("exp(2)", "e^2", "correct"),
    ("exp(3)", "e^2", "wrong"),
    ("E**2", "e^2", "correct"),
    ("log(2)", r"\ln 2", "correct"),
    ("log(3)", r"\ln 2", "wrong"),
    ("log(2)", r"\log 2", "unparseable"),
    ("sin(1)", r"\sin 1", "correct"),
    ("2*sin(1)", r"\sin 1", "wrong"),
    ("cos(pi/9)", r"\cos 20^\circ", "unparseable"),
    ("sqrt(2)", r"\sqrt{2}", "correct"),
    ("pi/2", r"\frac{\pi}{2}", "correct"),
    ("-oo", r"-\infty", "correct"),
    ("1/2 - sqrt(3)*I/2", r"\frac{1-i\sqrt3}{2}", "correct"),
    ("exp(-x**2/2)", "e^{-x^2/2}", "correct"),
    ("f(x) = exp(x)", "e^x", "correct"),
    ("sin(x) = exp(1)", "e", "unparseable"),  # an equation is no value, unless its left side is what is asked for
    ("Eq(y, 2*x + 1)", "y=2x+1", "correct"),
    ("1.5e-05*x", "0.000015x", "correct"),
    ("E", "(E)", "correct"),
    ("A, E", "A, E", "correct"),
    ("sqrt(2*E/m)", r"\sqrt{\frac{2E}{m}}", "correct"),
    ("(-2)**3", "-8", "correct"),
    ("factorial(5)", "120", "correct"),
    ("0.3333333333333333", "0.3333333333333333", "correct"),
    ("0.3333333333333333", r"\frac13", "correct"),
    ("0.3333333333333333", "0.333", "wrong"),
    ("[0.3333333333333333, 2]", "0.3333333333333333, 2", "correct"),
]


@pytest.mark.parametrize(("line", "gold", "verdict"), LISTS + EXPRESSIONS)
def test_what_python_and_sympy_print_is_read_as_mathematics_in_the_form_of_the_gold(
    line: str, gold: str, verdict: str
) -> None:
    row = _judged(line, gold)
    assert row["verdict"] == verdict, row


@pytest.mark.parametrize("sign", ["(", "[", "-", "1**", "sqrt(", "x = ", "'", "1 if ", "[1]", "x, ", "\x00", "f(x)"])
def test_any_line_is_read_in_time(sign: str) -> None:
    for line in (sign * (2000 // len(sign)), sign * 4000):
        began = time.monotonic()
        assert read_output(line, "(2,3)").texts
        assert time.monotonic() - began < 2


@pytest.mark.usefixtures("sandbox")
def test_a_printed_fraction_can_be_taken_as_it_is() -> None:
    assert to_latex("0.30000000000000004", exact=False) == "0.30000000000000004"
    assert _verdict("print(0.1 + 0.2)", "0.3", restore_exact=False)["verdict"] == "wrong"
