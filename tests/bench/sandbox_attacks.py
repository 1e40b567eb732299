"""Programs that attack the machine: how many are contained, and how many harmless ones are run a second."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.errors import VerifierBroken
from tasks.verification.code_execution.sandbox.results import ExecutionResult, Limits
from tasks.verification.code_execution.sandbox.sandbox import Sandbox
from tests.bench.support.results import Figure
from tests.support.attacks import ATTACKS, HARMLESS_PROGRAMS

LIMITS = Limits(deadline=4.0, cpu=2, memory=256 << 20)
PROGRAMS = 2000
SYMPY = "from sympy import symbols, solve\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))"
WARDENS = 2


def measure(programs: int = PROGRAMS) -> Iterator[Figure]:
    """All attacks on one warden, then the speeds with and without sympy."""
    try:
        Sandbox().close()
    except VerifierBroken as error:
        print(f"sandbox_attacks: skipped: {error}")
        return
    yield contained()
    plain = [HARMLESS_PROGRAMS[at % len(HARMLESS_PROGRAMS)][0] for at in range(programs)]
    yield Figure("program_speed", round(speed(plain, ())), "programs/s", "", f"{programs:,}, {WARDENS} wardens")
    sympy = [SYMPY] * (programs // 4)
    note = f"{len(sympy):,} that solve an equation, {WARDENS} wardens"
    yield Figure("sympy_program_speed", round(speed(sympy, ("sympy",))), "programs/s", "", note)


def contained() -> Figure:
    """Attacks that ended in time and for the right reason, with no file left and the same warden alive."""
    held, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(folder=folder)
        warden = sandbox.pid
        for attack in ATTACKS:
            began = time.monotonic()
            ending = sandbox.run(attack.program, LIMITS)
            late = time.monotonic() - began - LIMITS.deadline
            ended = " ".join(filter(None, ending[:2])) if isinstance(ending, ExecutionResult) else ending.error
            left = [path.name for path in Path(folder).iterdir()]
            if ended in attack.allowed_results and late < 1 and not left and sandbox.pid == warden:
                held += 1
            else:
                print(f"sandbox_attacks: {attack.name}: {ended}, {late:+.1f} s past its deadline, left {left}")
            slowest = max(slowest, late)
        sandbox.close()
    note = f"of {len(ATTACKS)} attacks; the slowest ended {slowest:.2f} s past its deadline"
    return Figure("contained", held, "contained", f"= {len(ATTACKS)}", note)


def speed(programs: Sequence[str], libraries: Sequence[str]) -> float:
    """Programs a second of `WARDENS` wardens that have started."""
    boxes = [Sandbox(libraries) for _ in range(WARDENS)]

    def work(at: int) -> int:
        endings = [boxes[at].run(program) for program in programs[at::WARDENS]]
        return sum(isinstance(ending, ExecutionResult) and ending.reason == "ok" for ending in endings)

    began = time.monotonic()
    with ThreadPoolExecutor(WARDENS) as pool:
        good = sum(pool.map(work, range(WARDENS)))
    seconds = time.monotonic() - began
    for box in boxes:
        box.close()
    if good != len(programs):
        raise AssertionError(f"{len(programs) - good} harmless programs did not end well")
    return len(programs) / seconds
