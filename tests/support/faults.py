"""Puts realistic faults into the code, one at a time, and measures which of them the tests catch.

    python -m tests.support.faults [--list] [--only N,N] [--tests "..."] [--whole-suite] [--seconds N] [--workers N]
        [--keep FILE]

`faults_baseline.json` says which of them the suite of commit 2b47a73 caught, before it was moved and made faster. A run
names those that are missed since, and then ends with code 1.

A fault names its place by file and function and, inside the function, by the kind and number of what changes, so that
new names inside it do not matter. After a move, edit `module`, `function` and `tests`, and look with `--list` whether
each change is still the one that is meant. All work is done in a copy of the tracked files in a temporary folder, which
has no recorded data beside it.
"""

import argparse
import ast
import contextlib
import difflib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
BASELINE = Path(__file__).with_name("faults_baseline.json")
CODE_DIGEST_TESTS = ("no_step_changed_without_a_new_version",)
"""Names of tests that compare code with a digest. They fail on every change, so they say nothing about the suite."""
SUITE = ("tests", "--ignore=tests/bench", "--ignore=tests/vllm")


class Fault(NamedTuple):
    """A mistake that somebody might make, and the tests that are most likely to catch it."""

    number: int
    module: str
    function: str
    change: str
    """`kind[k]`: the k-th place in the function, from 0, where a change of this kind can be made; see `find_edits`."""
    mistake: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        number=1,
        module="schemas/recipe.py",
        function="find_part",
        change="swap_call[0]",
        mistake="A part that is left out by default starts from its own defaults although one of its fields has none.",
        tests=("tests/schemas/test_recipe.py", "tests/flows/cli/test_recipe_arguments.py"),
    ),
    Fault(
        number=2,
        module="flows/cli/query.py",
        function="_to_json_value",
        change="negate_condition[6]",
        mistake="Finite numbers become null in JSON, and NaN is written.",
        tests=("tests/flows/cli/test_main.py",),
    ),
    Fault(
        number=3,
        module="flows/run/progress.py",
        function="StepProgress.format_line",
        change="swap_arithmetic[2]",
        mistake="The pace of a continued step counts the rows that were already there as done now, twice.",
        tests=("tests/flows/test_verify.py",),
    ),
    Fault(
        number=4,
        module="infra/lake/input_files.py",
        function="number_copies",
        change="swap_compare[0]",
        mistake="The copies of a file are counted by the files that differ from it.",
        tests=("tests/flows/test_verify.py",),
    ),
    Fault(
        number=5,
        module="flows/run/history.py",
        function="pinned_manifest",
        change="drop_statement[1]",
        mistake="The version that a run started with is not pinned, so that the run may find its own rows there.",
        tests=("tests/flows/run/test_history.py", "tests/flows/run/test_two_datasets.py"),
    ),
    Fault(
        number=6,
        module="flows/parts/verification.py",
        function="verify_attempts",
        change="swap_boolean[0]",
        mistake="A later verifier sees undecided attempts only, even if all must agree or it must see all.",
        tests=("tests/flows/parts/test_rejudge.py",),
    ),
    Fault(
        number=7,
        module="flows/report/html.py",
        function="_draw_columns",
        change="swap_call[2]",
        mistake="A column of a chart is never higher than the lowest one that can be seen.",
        tests=("tests/flows/report/test_report.py",),
    ),
    Fault(
        number=8,
        module="flows/cli/prefect_server.py",
        function="_read_configured_url",
        change="swap_boolean[1]",
        mistake="Prefect's active profile is used only if the environment names one.",
        tests=("tests/flows/cli/test_prefect_server.py",),
    ),
    Fault(
        number=9,
        module="tasks/base/ask.py",
        function="derive_seeds",
        change="off_by_one[0]",
        mistake="Seeds are made of nine bytes, and exceed the range that servers accept.",
        tests=("tests/tasks/base/test_ask.py",),
    ),
    Fault(
        number=10,
        module="tasks/answers/solve.py",
        function="Solve.follow_up",
        change="swap_compare[2]",
        mistake="Asking stops one sample early: when all samples that are left would be just enough.",
        tests=("tests/tasks/base/test_ask.py", "tests/tasks/answers"),
    ),
    Fault(
        number=11,
        module="tasks/verification/majority_vote.py",
        function="MajorityVote.sql",
        change="edit_text[0] agreement < -> agreement <=",
        mistake="A leading answer with exactly the least share is not enough.",
        tests=("tests/tasks/verification/test_majority_vote.py",),
    ),
    Fault(
        number=12,
        module="tasks/dedup/minhash.py",
        function="QuestionSketches.jaccard",
        change="swap_arithmetic[2]",
        mistake="Jaccard similarity divides by the sum of the sets' sizes plus the size of what they share.",
        tests=("tests/tasks/dedup/test_near.py",),
    ),
    Fault(
        number=13,
        module="tasks/questions/difficulty.py",
        function="FailRate._decided_side",
        change="swap_compare[1]",
        mistake="A rate at the lower end of the band counts as below it.",
        tests=("tests/tasks/questions/test_difficulty.py",),
    ),
    Fault(
        number=14,
        module="tasks/verification/extraction/rules.py",
        function="_find_last_number",
        change="drop_statement[10]",
        mistake="The percent sign or the unit after a last number is cut off.",
        tests=("tests/tasks/verification/test_extraction.py",),
    ),
    Fault(
        number=15,
        module="tasks/verification/equivalence/number_parser.py",
        function="_parse_numeral",
        change="swap_compare[3]",
        mistake="`1 2/2` is read as a mixed number.",
        tests=("tests/tasks/verification/test_equivalence.py", "tests/tasks/verification/test_verify.py"),
    ),
    Fault(
        number=16,
        module="tasks/verification/equivalence/real_sets.py",
        function="_touch",
        change="swap_boolean[3]",
        mistake="[0,1) and [1,2] are not merged into [0,2].",
        tests=("tests/tasks/verification/test_equivalence.py", "tests/tasks/verification/test_verify.py"),
    ),
    Fault(
        number=17,
        module="tasks/verification/equivalence/shape_equality.py",
        function="_equal_in_any_order",
        change="drop_statement[2]",
        mistake="One item of an answer may stand for several of the gold answer.",
        tests=("tests/tasks/verification/test_equivalence.py", "tests/tasks/verification/test_verify.py"),
    ),
    Fault(
        number=18,
        module="tasks/verification/code_execution/execute.py",
        function="_choose_outcome",
        change="swap_boolean[2]",
        mistake="An undecided outcome and one that is certainly wrong are both reported as an unclear printed form.",
        tests=("tests/tasks/verification/code_execution/test_execute.py",),
    ),
    Fault(
        number=19,
        module="tasks/verification/code_execution/sandbox/results.py",
        function="_find_reason",
        change="swap_arithmetic[0]",
        mistake="A program that used up its CPU time is reported to have run out of memory.",
        tests=("tests/tasks/verification/code_execution/test_execute.py",),
    ),
    Fault(
        number=20,
        module="tasks/verification/math_verify/pool.py",
        function="MathVerifyProcess._compare_pairs",
        change="drop_statement[7]",
        mistake="Pairs are not counted, so that the child is never checked again.",
        tests=("tests/tasks/verification/test_math_verify.py",),
    ),
    Fault(
        number=21,
        module="tasks/lemma/segment_steps.py",
        function="_is_inside_formula",
        change="swap_boolean[0]",
        mistake="A line that ends between two formulas counts as inside a formula.",
        tests=("tests/tasks/lemma/test_segment_steps.py",),
    ),
    Fault(
        number=22,
        module="tasks/lemma/solution_pairs.py",
        function="PairSolutions.sql",
        change="edit_text[0] ORDER BY rank, -> ORDER BY rank DESC,",
        mistake="A correction is preferred to the student's own right attempt.",
        tests=("tests/tasks/lemma/test_lemma_stages.py",),
    ),
    Fault(
        number=23,
        module="tasks/proving_ground/template.py",
        function="Template.evaluate",
        change="swap_boolean[1]",
        mistake="A contradiction is reported only if both a claim is wrong and a condition fails.",
        tests=("tests/tasks/proving_ground",),
    ),
    Fault(
        number=24,
        module="tasks/proving_ground/wrong_solutions.py",
        function="make_slips",
        change="swap_boolean[0]",
        mistake="A slip may equal the true result, or be zero.",
        tests=("tests/tasks/proving_ground/test_wrong_solutions.py", "tests/tasks/pupil/test_examples.py"),
    ),
    Fault(
        number=25,
        module="schemas/identity.py",
        function="identity",
        change="negate_condition[1]",
        mistake="Label, version and table of a step are left out of its identity.",
        tests=("tests/schemas",),
    ),
    Fault(
        number=26,
        module="schemas/receipts.py",
        function="Usage.__sub__",
        change="swap_arithmetic[3]",
        mistake="GPU time is added where it should be subtracted.",
        tests=("tests/schemas/test_work.py", "tests/infra/cluster/test_metered_engine.py"),
    ),
    Fault(
        number=27,
        module="schemas/arrow.py",
        function="_to_array",
        change="drop_statement[1]",
        mistake="A fraction is cut off to fit into a column of integers.",
        tests=("tests/schemas/test_arrow.py",),
    ),
    Fault(
        number=28,
        module="schemas/budget.py",
        function="Budget.covers",
        change="swap_compare[2]",
        mistake="Usage that exactly fits a budget is refused.",
        tests=("tests/infra/cluster/test_metered_engine.py", "tests/flows/run/test_asking.py"),
    ),
    Fault(
        number=29,
        module="schemas/engine_specs.py",
        function="HttpSpec._check_urls",
        change="swap_boolean[1]",
        mistake="A URL may hold a user without a password, or a password without a user.",
        tests=("tests/infra/engines/test_http.py", "tests/infra/cluster/test_profiles.py"),
    ),
    Fault(
        number=30,
        module="schemas/tables/verdicts.py",
        function="expectations",
        change="drop_keyword[5]",
        mistake="Many timeouts stop a run instead of causing a warning.",
        tests=("tests/infra/test_gates.py", "tests/flows/test_verify.py"),
    ),
    Fault(
        number=31,
        module="infra/lake/ledger.py",
        function="balance",
        change="drop_statement[8]",
        mistake="A step that left out part of a table goes unnoticed.",
        tests=("tests/infra/lake/test_publish.py", "tests/flows/test_verify.py"),
    ),
    Fault(
        number=32,
        module="infra/lake/store.py",
        function="Store.get",
        change="swap_boolean[0]",
        mistake="A damaged object is read as if it were whole.",
        tests=("tests/infra/lake/test_store.py",),
    ),
    Fault(
        number=33,
        module="infra/lake/flush_thread.py",
        function="FlushThread.schedule",
        change="swap_call[0]",
        mistake="Of two times at which a journal is due, the later one counts.",
        tests=("tests/infra/lake/test_reply_journal.py",),
    ),
    Fault(
        number=34,
        module="infra/cluster/budget.py",
        function="BudgetTracker.cancel",
        change="swap_arithmetic[0]",
        mistake="Requests that will not be answered count as in flight twice.",
        tests=("tests/infra/cluster/test_metered_engine.py",),
    ),
    Fault(
        number=35,
        module="infra/cluster/worker.py",
        function="_run_stage",
        change="swap_compare[1]",
        mistake="A shard is given up one failed row too early.",
        tests=("tests/infra/cluster/test_worker.py",),
    ),
    Fault(
        number=36,
        module="infra/lake/input_files.py",
        function="merge_types",
        change="swap_compare[1]",
        mistake="A column that is empty in one file loses the type that other files give it.",
        tests=("tests/infra/lake/test_input_files.py",),
    ),
    Fault(
        number=37,
        module="infra/report_data/column_profiles.py",
        function="_choose_bins",
        change="swap_arithmetic[2]",
        mistake="A few low outliers squeeze all other rows of a histogram into few bars.",
        tests=("tests/infra/report_data/test_dataset_summary.py",),
    ),
    Fault(
        number=38,
        module="infra/engines/common/chat_replies.py",
        function="count_tokens",
        change="swap_compare[4]",
        mistake="One token too many is attributed when several samples share the tokens of a reply.",
        tests=("tests/infra/engines/test_http_replies.py",),
    ),
    Fault(
        number=39,
        module="infra/engines/common/request_window.py",
        function="RequestWindow._fail",
        change="swap_compare[0]",
        mistake="A request is attempted once more than allowed.",
        tests=("tests/infra/engines/common/test_request_window.py",),
    ),
    Fault(
        number=40,
        module="infra/engines/common/server_pool.py",
        function="ServerPool.mark_unreachable",
        change="swap_call[0]",
        mistake="The delay until a lost server is tried again is at least half a minute, and grows without bound.",
        tests=("tests/infra/engines/common/test_server_pool.py", "tests/infra/engines/test_http.py"),
    ),
)

PAIRS = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.Is, ast.IsNot)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.And, ast.Or), ("min", "max"), ("any", "all")),
)
OPPOSITES: dict[Any, Any] = {ast.Div: ast.Mult} | {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
SIMPLE_STATEMENTS = ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.Raise | ast.Continue


def find_edits(node: ast.AST, kind: str, old: str = "", new: str = "") -> Iterator[Callable[[], Any]]:
    """The places in a tree where a change of this kind can be made, in order. Calling one makes the change.

    Only `edit_text[k] old -> new` needs words. `drop_statement` counts the statements that have no block of their own;
    those of a block come before those of the blocks inside it.
    """
    match kind, node:
        case "negate_condition", ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield partial(setattr, node, "test", ast.UnaryOp(ast.Not(), test))
        case "swap_compare", ast.Compare(ops=operators):
            yield from (
                partial(operators.__setitem__, n, OPPOSITES[type(operator)]()) for n, operator in enumerate(operators)
            )
        case "swap_arithmetic", ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in OPPOSITES:
            yield partial(setattr, node, "op", OPPOSITES[type(operator)]())
        case "swap_boolean", ast.BoolOp(op=operator):
            yield partial(setattr, node, "op", OPPOSITES[type(operator)]())
        case "swap_call", ast.Call(func=ast.Name(id=name) as callee) if name in OPPOSITES:
            yield partial(setattr, callee, "id", OPPOSITES[name])
        case "off_by_one", ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield partial(setattr, node, "value", value + 1)
        case "edit_text", ast.Constant(value=str(text)) if old in text:
            yield partial(setattr, node, "value", text.replace(old, new, 1))
        case "drop_keyword", ast.Call(keywords=keywords):
            yield from (partial(keywords.pop, n) for n, keyword in enumerate(keywords) if keyword.arg)
        case "drop_statement", _:
            for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
                for n, statement in enumerate(block if isinstance(block, list) else ()):
                    is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
                    if isinstance(statement, SIMPLE_STATEMENTS) and not is_docstring:
                        yield partial(block.__setitem__, n, ast.Pass())
    for child in ast.iter_child_nodes(node):
        yield from find_edits(child, kind, old, new)


def find_function(tree: ast.AST, name: str) -> Any:
    """The function with a qualified name; raises `LookupError` if there is none."""
    for part in name.split("."):
        matches = [node for node in ast.iter_child_nodes(tree) if getattr(node, "name", "") == part]
        if not matches:
            raise LookupError(f"no function {name}; write its new name into its fault")
        tree = matches[-1]
    return tree


def insert_fault(fault: Fault, source: str) -> str:
    """`source` with the fault: its function is written anew, all other lines stay as they are."""
    kind, place, words = re.findall(r"(\w+)\[(\d+)\] ?(.*)", fault.change)[0]
    node = find_function(ast.parse(source), fault.function)
    first, last = min(each.lineno for each in (node, *node.decorator_list)) - 1, node.end_lineno
    edits = list(find_edits(node, kind, *filter(None, words.split(" -> "))))
    if int(place) >= len(edits):
        raise LookupError(f"fault {fault.number}: {fault.function} has {len(edits)} places for {kind}; name another")
    edits[int(place)]()
    depth = node.col_offset // 4
    for _ in range(depth):  # indented as a tree, because lines inside a string must not move
        node = ast.If(ast.Constant(True), [node], [])
    lines, rewritten = source.split("\n"), ast.unparse(ast.fix_missing_locations(node)).split("\n")
    return "\n".join([*lines[:first], *rewritten[depth:], *lines[last:]])


def describe(fault: Fault) -> str:
    """A fault and the change that it makes, as lines of a diff that are cut to the surroundings of the change."""
    source = (ROOT / fault.module).read_text()
    texts = [ast.unparse(find_function(ast.parse(s), fault.function)) for s in (source, insert_fault(fault, source))]
    at = next((n for n, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    begin = max(texts[0].rfind("\n", 0, at) + 1, at - 60)
    lines = difflib.ndiff(*(text[begin : at + 60].partition("\n")[0].splitlines() for text in texts))
    shown = [f"     {line}" for line in lines if line[0] in "-+"]
    return "\n".join([f"{fault.number:2} {fault.module} {fault.function}: {fault.mistake}", *shown])


@contextlib.contextmanager
def copy_of_tree() -> Iterator[Path]:
    """A copy of the tracked files that is deleted afterwards."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        for name in filter(None, listing.split("\0")):
            target = Path(folder, "copy", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        yield Path(folder, "copy")


@contextlib.contextmanager
def faults_inserted(copy: Path, *faults: Fault) -> Iterator[None]:
    """The copy holds these faults while this is open, and none afterwards."""
    sources = {copy / fault.module: (copy / fault.module).read_text() for fault in faults}
    try:
        for fault in faults:
            _write(copy / fault.module, insert_fault(fault, (copy / fault.module).read_text()))
        yield
    finally:
        for path, source in sources.items():
            _write(path, source)


def _write(path: Path, source: str) -> None:
    path.write_text(source)
    # Python recognizes stale bytecode by the size and second of its source, and a fault may change neither.
    for bytecode in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        bytecode.unlink()


class TestRunner(NamedTuple):
    """Runs tests in the copy."""

    __test__ = False

    copy: Path
    seconds: float
    """Limit of one run of pytest."""
    workers: int

    def failures(self, tests: Sequence[str], *options: str) -> list[str] | None:
        """The names of the tests that fail, out of those of `make test`; None if they take too long."""
        [markers] = re.findall(r'-m "(not \(.*\))"', (ROOT / "Makefile").read_text())
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
        command += ["-o", "addopts=--import-mode=importlib", "-m", markers]
        command += ["-k", f"not ({' or '.join(CODE_DIGEST_TESTS)})", *options, *tests]
        environment = {name: value for name, value in os.environ.items() if name != "CI"}  # skips are no failures here
        environment["PYTHONPATH"] = str(self.copy)
        with tempfile.TemporaryFile("w+") as output:  # no pipe: a process that a test leaves behind would hold it open
            process = subprocess.Popen(
                command, cwd=self.copy, env=environment, start_new_session=True, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                code = process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                return None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            text = output.read()
        # Without parameters, whose characters a command line might misread.
        names = re.findall(r"^(?:FAILED|ERROR) ([^\[\n]+?)(?:\[.*| - .*)?$", text, re.MULTILINE)
        if code and not names:
            raise RuntimeError(f"pytest {shlex.join(tests)} ended with code {code}:\n{text[-2000:]}")
        return list(dict.fromkeys(names))

    def find_catcher(self, fault: Fault, tests: Sequence[str]) -> str | None:
        """A test that fails by itself with the fault and passes without; `time limit` if only sound code is in time."""
        parallel = ("-n", f"{self.workers}", "--dist", "load", "--maxschedchunk", "1") if self.workers > 1 else ()
        for options in (
            ("-x", *parallel),
            parallel,
        ):  # all of them if the first one failed only because of a busy machine
            with faults_inserted(self.copy, fault):
                failures = self.failures(tests, *options)
                repeated = [test for test in failures or () if self.failures([test]) != []]
            if failures is None:
                return "time limit" if self.failures(tests, *parallel) == [] else None
            for test in repeated:
                if any(self.failures([test]) == [] for _ in range(3)):
                    return test
            if not failures:
                break
        return None


def main() -> None:
    """Measure, and print one line for each fault."""
    parser = argparse.ArgumentParser(description="Which faults do the tests catch?")
    parser.add_argument("--list", action="store_true", help="show what each fault changes, and run nothing")
    parser.add_argument("--only", default="", help="numbers of faults, e.g. 3,14")
    parser.add_argument("--tests", default="", help="arguments for pytest instead of each fault's own tests")
    parser.add_argument(
        "--whole-suite", action="store_true", help="all of `make test` instead of each fault's own tests"
    )
    parser.add_argument("--seconds", type=float, default=300, help="limit of one run of tests (300)")
    parser.add_argument("--workers", type=int, default=2, help="processes of one run of tests (2)")
    parser.add_argument("--keep", metavar="FILE", help="JSON file that the results are written to")
    options = parser.parse_args()
    numbers = {int(number) for number in options.only.split(",") if number}
    faults = [fault for fault in FAULTS if fault.number in numbers or not numbers]
    if options.list:
        print("\n".join(map(describe, faults)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    instead = SUITE if options.whole_suite else shlex.split(options.tests)
    results = dict[int, str | None]()
    with copy_of_tree() as copy:
        runner = TestRunner(copy, options.seconds, options.workers)
        for fault in faults:
            started_at = time.monotonic()
            by = results[fault.number] = runner.find_catcher(fault, instead or fault.tests)
            outcome = f"caught by {by}" if by else "survived"
            print(f"{fault.number:2} {fault.function}: {outcome}, {time.monotonic() - started_at:.0f} s", flush=True)
    print(f"{sum(map(bool, results.values()))} of {len(results)} caught")
    if options.keep:
        path, new = Path(options.keep), {f"{n}": {"caught": bool(by), "by": by} for n, by in results.items()}
        merged = (json.loads(path.read_text()) if path.exists() else {}) | new
        path.write_text(json.dumps(dict(sorted(merged.items(), key=lambda each: int(each[0]))), indent=1) + "\n")
    baseline = json.loads(BASELINE.read_text())
    if missed := [f"{n}" for n, by in results.items() if not by and baseline[f"{n}"]["caught"]]:
        sys.exit(f"caught by the baseline and missed now: {', '.join(missed)}; write or repair a test of each")


if __name__ == "__main__":
    main()
