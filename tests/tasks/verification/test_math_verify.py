"""The referee judges right, from any thread and process; no pair hangs it, and it outlives nobody."""

import contextlib
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.errors import VerifierBroken
from tasks.verification.math_verify import pool
from tasks.verification.math_verify.canaries import CANARIES
from tasks.verification.math_verify.pool import MathVerifyProcess
from tasks.verification.math_verify.verdict import Pair, Verdict, describe_library

ROOT = Path(pool.__file__).parents[3]
PROBES = [Pair(r"\frac{3}{4}", "0.75"), Pair("(1,2]", "[1,2]"), Pair("1<x<2", "(1,2)"), Pair("(1,2)", "1<x<2")]
EXPECTED = ["correct", "wrong", "correct", "unparseable"]

FAKE = """
import os, sys, time
from tasks.verification.math_verify.verdict import Verdict
from tasks.verification.math_verify.child import serve

drifted = False

def rule(gold, answer):
    global drifted
    drifted = drifted or answer == "drift"
    if answer == "abort": os.abort()
    if answer == "memory": raise MemoryError("no room")
    if answer == "hang": time.sleep(600)
    if answer == "work":
        while True: pass
    if answer == "once" and not os.path.exists(gold):
        open(gold, "w").close()
        os.abort()
    return Verdict("correct" if gold == answer and not drifted else "wrong", "fake")

serve(rule, "fake 1.0")
"""


@pytest.fixture(scope="module")
def real() -> Iterator[MathVerifyProcess]:
    judge = MathVerifyProcess()
    yield judge
    judge.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[MathVerifyProcess]:
    """A child that speaks the protocol and misbehaves on demand; it starts in no time."""
    judge = MathVerifyProcess(canaries=(), command=_fake_command(tmp_path))
    yield judge
    judge.close()


def _fake_command(folder: Path) -> list[str]:
    script = folder / "fake.py"
    script.write_text(FAKE)
    return [sys.executable, str(script)]


def _verdicts(rulings: list[Verdict]) -> list[str]:
    return [ruling.verdict for ruling in rulings]


def _await_exit(pid: int, seconds: float = 10) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("gold", "answer", "verdict", "rule"),
    [
        (r"\frac{3}{4}", "0.75", "correct", "math_verify"),
        (r"5\frac{1}{2}", "5.5", "correct", "math_verify"),
        (r"\frac{12}{5,\!525}", r"\frac{12}{5525}", "correct", "math_verify"),
        (r"$\frac{1}{2}$", "1/2", "correct", "math_verify"),
        ("x=3", "3", "correct", "math_verify"),
        (r"10\%", "0.1", "correct", "math_verify"),
        (r"[-1,2)\cup(3,\infty)", r"(3,\infty)\cup[-1,2)", "correct", "math_verify"),
        (r"\text{Friday}", "Friday", "correct", "math_verify"),
        (r"\frac{\pi}{3}", r"\frac{\pi}{4}", "wrong", "math_verify"),
        ("5", "3 and 5", "wrong", "math_verify"),
        (r"\sin 2t", r"2\sin t\cos t", "correct", "math_verify"),
        (r"\ln 2\, m", r"\ln 2", "wrong", "math_verify"),
        (r"\sqrt{\frac{1}{n}}", r"\frac{1}{\sqrt{n}}", "unparseable", "not_proved"),
        (r"e^{i\pi}", "-1", "unparseable", "not_proved"),
        ("C(9,2)", "36", "unparseable", "not_proved"),
        (r"\sqrt{(x-1)^2}", "x+1", "wrong", "math_verify"),
        (r"\binom{n}{2}", r"\frac{n(n+1)}{2}", "wrong", "math_verify"),
        ("3", r"\sqrt", "unparseable", "answer_unparseable"),
        ("\x00", "3", "unparseable", "gold_unparseable"),
        ("3", "3\x00", "unparseable", "answer_unparseable"),
        ("3", "\ud800", "unparseable", "answer_unparseable"),
        ("3", "10**10**10", "unparseable", "answer_unparseable"),
    ],
)
def test_known_pairs_are_judged_as_known(
    real: MathVerifyProcess, gold: str, answer: str, verdict: str, rule: str
) -> None:
    (ruling,) = real.compare_pairs([Pair(gold, answer)])
    assert isinstance(ruling, Verdict)
    assert (ruling.verdict, ruling.rule) == (verdict, rule)


@pytest.mark.system
def test_a_pair_is_judged_alike_by_every_child_and_after_any_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """sympy finds the sign of an end of this interval or not, by the order in which it looks at facts."""
    pairs = [Pair("x^2+2x+1", r"[0/e48/\pi,\sin(\pi))"), Pair(r"[0/e48/\pi,\sin(\pi))", r"50\%")]
    found = []
    for seed in ("1", "4", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        judge = MathVerifyProcess()
        for _ in range(3):
            found += [[(ruling.verdict, ruling.rule) for ruling in judge.compare_pairs(pairs)]]
            judge.compare_pairs(PROBES)
        judge.close()
    assert found == [found[0]] * 9


@pytest.mark.system
def test_bombs_are_timeouts_and_cost_their_neighbours_nothing(real: MathVerifyProcess) -> None:
    nested = r"\frac{1}{" * 150 + "2" + "}" * 150
    bombs = [Pair("1", r"\sum_{k=1}^{10^{7}}\frac{\sin k}{k}"), Pair("1", nested)]
    began = time.monotonic()
    rulings = real.compare_pairs([PROBES[0], bombs[0], *PROBES[1:], bombs[1]], deadline=1.0)
    assert _verdicts(rulings) == ["correct", "timeout", *EXPECTED[1:], "timeout"]
    assert {ruling.rule for ruling in rulings if isinstance(ruling, Verdict) and ruling.verdict == "timeout"} == {
        "deadline"
    }
    assert time.monotonic() - began < 30  # two deadlines and a restart


def test_a_child_killed_in_the_middle_of_a_pair_is_replaced_and_the_pair_judged(fake: MathVerifyProcess) -> None:
    killed = fake.pid
    assert killed is not None
    os.kill(killed, signal.SIGSTOP)  # so that the pair cannot be answered before the kill
    with ThreadPoolExecutor(1) as threads:
        rulings = threads.submit(fake.compare_pairs, [Pair("1", "1"), Pair("1", "2")], 60)
        os.kill(killed, signal.SIGKILL)
        assert _verdicts(rulings.result()) == ["correct", "wrong"]
    assert fake.pid != killed


def test_overhead_is_below_a_tenth_of_a_millisecond_a_pair(fake: MathVerifyProcess) -> None:
    pairs = [Pair("1", "1")] * 2000
    took = []
    for _ in range(5):
        began = time.perf_counter()
        fake.compare_pairs(pairs)
        took.append((time.perf_counter() - began) / len(pairs))
    assert min(took) < 1e-4 * 3  # three times the promise: the machine may be busy


@pytest.mark.parametrize(("poison", "children"), [("abort", 2), ("memory", 1)])
def test_a_poison_pair_gets_a_verdict_and_costs_nothing_else(
    fake: MathVerifyProcess, poison: str, children: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs out of memory says so; who aborts may have been killed by somebody, and is asked once more."""
    started = list[int]()
    begin = fake._start
    monkeypatch.setattr(fake, "_start", lambda: (started.append(1), begin())[1])
    rulings = fake.compare_pairs([Pair("1", "1"), Pair("1", poison), Pair("1", "2")])
    assert _verdicts(rulings) == ["correct", "unparseable", "wrong"]
    assert rulings[1].rule == "verifier_died" and len(started) == children


def test_a_child_that_dies_once_is_forgiven(fake: MathVerifyProcess, tmp_path: Path) -> None:
    assert _verdicts(fake.compare_pairs([Pair(str(tmp_path / "died"), "once"), Pair("1", "1")])) == ["wrong", "correct"]


def test_the_deadline_is_per_pair(fake: MathVerifyProcess) -> None:
    rulings = fake.compare_pairs([Pair("1", "1"), Pair("1", "work"), Pair("1", "1"), Pair("1", "work")], deadline=0.2)
    assert _verdicts(rulings) == ["correct", "timeout", "correct", "timeout"]


def test_a_child_that_waits_is_ended_by_the_clock(fake: MathVerifyProcess) -> None:
    began = time.monotonic()
    rulings = fake.compare_pairs([Pair("1", "hang"), Pair("1", "1")], deadline=0.1)
    assert _verdicts(rulings) == ["timeout", "correct"]
    assert time.monotonic() - began >= 0.1 * pool.WALL_FACTOR


def test_a_child_ends_itself_when_its_parent_is_killed_in_the_middle_of_a_pair(tmp_path: Path) -> None:
    script = (
        "from tasks.verification.math_verify.pool import MathVerifyProcess\n"
        "from tasks.verification.math_verify.verdict import Pair\n"
        f"referee = MathVerifyProcess(canaries=(), command={_fake_command(tmp_path)!r})\n"
        "print(referee.pid, flush=True)\n"
        "referee.compare_pairs([Pair('1', 'hang')], deadline=300)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    assert _await_exit(child)


def test_a_child_ends_even_inside_one_long_operation_of_c(tmp_path: Path) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(
        "from tasks.verification.math_verify.child import serve\nserve(lambda gold, answer: 7 ** (10 ** 9), 'stuck')\n"
    )
    child = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with child:
        assert child.stdin is not None
        child.stdin.write(b'{"pairs": [["1", "1"]], "cpu_seconds": 0.5}\n')
        child.stdin.close()
        assert _await_exit(child.pid)
        assert child.wait() in (-signal.SIGPROF, 0)


def test_closing_ends_the_child(fake: MathVerifyProcess) -> None:
    child = fake.pid
    assert child is not None
    fake.close()
    assert _await_exit(child, 0)
    assert fake.pid is None


def test_it_judges_from_a_thread_that_is_not_the_main_one() -> None:
    assert threading.current_thread() is threading.main_thread()
    with ThreadPoolExecutor(1) as threads:
        assert _verdicts(threads.submit(pool.compare_pairs, PROBES).result()) == EXPECTED


def _in_a_daemon(answers: "multiprocessing.SimpleQueue[list[str]]") -> None:
    assert multiprocessing.current_process().daemon
    with ThreadPoolExecutor(1) as threads:
        answers.put(_verdicts(threads.submit(pool.compare_pairs, PROBES).result()))


def test_it_judges_from_a_thread_of_a_daemonic_process() -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.SimpleQueue[list[str]] = context.SimpleQueue()
    process = context.Process(target=_in_a_daemon, args=(answers,), daemon=True)
    process.start()
    assert answers.get() == EXPECTED
    process.join()


def test_a_fork_does_not_use_its_parents_child(fake: MathVerifyProcess) -> None:
    assert fake.is_owned
    pid = os.fork()
    if not pid:
        fake.close()
        os._exit(int(fake.is_owned))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert _verdicts(fake.compare_pairs([Pair("1", "1")])) == ["correct"]


def test_the_working_directory_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "math_verify.py").write_text("raise SystemExit('the wrong library')")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("raise SystemExit('the wrong tasks')")
    script = "from tasks.verification.math_verify import pool; print(pool.check_health().library)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == describe_library()


def test_canaries_refuse_a_library_that_judges_wrongly(tmp_path: Path) -> None:
    with pytest.raises(VerifierBroken, match=r"fake 1\.0 fails a canary: gold .*0\.75.* is correct.*says wrong"):
        MathVerifyProcess(canaries=CANARIES, command=_fake_command(tmp_path))


def test_a_child_that_goes_astray_is_found_out(tmp_path: Path) -> None:
    judge = MathVerifyProcess(canaries=[(Pair("1", "1"), "correct")], command=_fake_command(tmp_path), recheck_after=3)
    assert _verdicts(judge.compare_pairs([Pair("1", "1"), Pair("1", "drift"), Pair("1", "1")])) == [
        "correct",
        "wrong",
        "wrong",
    ]
    with pytest.raises(VerifierBroken, match=r"fake 1\.0 fails a canary: gold '1', answer '1' is correct"):
        judge.compare_pairs([Pair("1", "1")])
    assert judge.pid is None


def test_a_child_that_has_grown_is_replaced_between_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.verification.math_verify.pool.RESTART_ABOVE_BYTES", 1)
    with contextlib.closing(MathVerifyProcess(recheck_after=2)) as judge:
        first = judge.pid
        assert _verdicts(judge.compare_pairs([Pair("1", "1"), Pair("1", "2")])) == ["correct", "wrong"]
        assert judge.pid == first
        assert _verdicts(judge.compare_pairs([Pair("1", "1.0")])) == ["correct"]
        assert judge.pid not in (first, None)


@pytest.mark.early
def test_a_child_that_somebody_ended_and_waited_for_is_replaced() -> None:
    with contextlib.closing(MathVerifyProcess(recheck_after=1)) as judge:
        assert _verdicts(judge.compare_pairs([Pair("1", "1")])) == ["correct"]
        assert judge.pid is not None and judge._child is not None
        os.kill(judge.pid, signal.SIGKILL)
        while judge._child.exit_code is None:
            time.sleep(0.01)
        assert _verdicts(judge.compare_pairs([Pair("1", "1.0")])) == ["correct"]


def test_a_child_that_does_not_start_says_why(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("import no_such_library")
    with pytest.raises(VerifierBroken, match="No module named 'no_such_library'"):
        MathVerifyProcess(command=[sys.executable, str(script)])


def test_the_canaries_cover_the_kinds_of_answers() -> None:
    assert len(CANARIES) >= 10
    assert {verdict for _, verdict in CANARIES} == {"correct", "wrong", "unparseable"}
