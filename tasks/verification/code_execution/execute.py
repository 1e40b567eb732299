"""Runs solutions that are Python programs, and compares the last line that they print with the gold answer.

`sandbox/` defines what a program may do, and `verification/verify.py` decides whether two answers are equal. A program
that fails says nothing about its answer, so its verdict is `unparseable` or `timeout`, never `wrong`.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator

from schemas.arrow import measured, optional
from schemas.errors import BadInput, VerifierBroken
from schemas.identity import fingerprint
from schemas.outcomes import Quarantine, Row
from schemas.steps import Stage
from schemas.tables import verdicts
from tasks.verification.code_execution.program_extraction import find_last_line, find_program
from tasks.verification.code_execution.python_output import OutputReadings, read_output
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.results import ExecutionResult, Limits, SandboxFailure
from tasks.verification.verify import OPEN_THOUGHT, Verify, extract_gold, read_response

EXECUTION_VERDICTS = pa.schema(
    [
        *verdicts.VERDICT_SCHEMA,
        optional("ended", pa.string()),  # one of `sandbox.results.REASONS`; null if there was no program
        optional("detail", pa.string()),  # network, process, file ...; the exception of an error
        optional("printed", pa.string()),  # the last `PRINTED_CHARACTERS` characters of standard output
        measured("cpu_seconds", pa.float32()),
        measured("peak_mib", pa.float32()),  # peak memory, including the interpreter's
    ]
)
"""A verdict together with how the program ended."""

CHUNK_PROGRAMS = 64
"""Programs run before their answers are judged together."""
PRINTED_CHARACTERS = 4000
"""Characters of a program's output that are kept: the last ones, where the answer is."""
_VERDICT_RANKS = {"correct": 0, "wrong": 2}
"""Order in which the verdicts on several readings are preferred. All other verdicts have rank 1."""


class ProgramRun(NamedTuple):
    """A row, how its program ended, and the last line that it printed. `result` is None if the row has no program."""

    row: Row
    result: ExecutionResult | None
    line: str


class Execute(Stage):
    """One verdict for each row: runs its program and compares the last line that it prints with the row's `answer`.

    A program has the standard library, `libraries`, an empty environment and an empty folder. `random` starts from the
    same seed each time. A program that ends its sandbox twice is quarantined. Raises `VerifierBroken` if the machine
    cannot isolate programs.
    """

    label: ClassVar[str] = "execute"
    table: ClassVar[pa.Schema] = EXECUTION_VERDICTS
    version: ClassVar[int] = 3

    column: str = "solution"
    """Column that holds the program: the last Python block in its text, or the whole text if it has no block. A
    program within a thought is not run."""
    deadline: float = Field(default=10.0, gt=0, le=3600)
    """Seconds of wall time after which a program is stopped."""
    cpu_seconds: int = Field(default=5, ge=1, le=3600)
    """Seconds of CPU time after which a program is stopped. Unlike wall time, this does not depend on how busy the
    machine is."""
    memory_mib: int = Field(default=512, ge=64)
    """MiB of address space that a program may use, in addition to the interpreter with its libraries."""
    output_kib: int = Field(default=64, ge=1, le=1024)
    """KiB that a program may print on standard output and standard error together."""
    libraries: tuple[str, ...] = ("sympy",)
    """Libraries that a program may import, besides the standard library and packages installed in the same folder. They
    are loaded in advance."""
    restore_exact: bool = True
    """Whether a printed float is also read as the number that it stands for: 0.30000000000000004 as 0.3,
    3.3333333333333335 as 10/3."""
    unsafe: bool = False
    """Whether programs are run even if the machine cannot keep them from its files and network, where they may do
    anything."""
    interpreter: str = Field(default_factory=lambda fields: sandbox.describe_interpreter(fields["libraries"]))
    """Python and library versions that run the programs, as they are installed. Others may print something else, so
    they are part of the stage's identity."""
    answer_match: Verify = Field(default_factory=Verify)
    """How the output is compared with the gold answer: as the final answer of a text would be."""

    @field_validator("libraries")
    @classmethod
    def _check_libraries(cls, libraries: tuple[str, ...]) -> tuple[str, ...]:
        sandbox.describe_interpreter(libraries)
        return libraries

    @field_validator("interpreter")
    @classmethod
    def _check_installed(cls, interpreter: str, info: ValidationInfo) -> str:
        if mismatch := sandbox.describe_mismatch(interpreter, info.data.get("libraries", ())):
            raise ValueError(mismatch)
        return interpreter

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row with `row_id`, `answer` and `column`."""
        if mismatch := sandbox.describe_mismatch(
            self.interpreter, self.libraries
        ):  # a worker may have other versions than the caller
            raise VerifierBroken(f"{self.label} {mismatch}")
        if missing := sorted({self.column, "answer"} - batch[0].keys()) if batch else []:
            raise BadInput(f"{self.label}: the rows have no column {missing[0]!r}; name the program's with `column`")
        for start in range(0, len(batch), CHUNK_PROGRAMS):
            yield from self._run_and_compare(batch[start : start + CHUNK_PROGRAMS])

    def _run_and_compare(self, rows: Sequence[Row]) -> Iterator[Row | Quarantine]:
        programs = [find_program(read_response(row[self.column]) or "") for row in rows]
        limits = Limits(self.deadline, self.cpu_seconds, self.memory_mib << 20, self.output_kib << 10)
        results = iter(sandbox.run_programs(list(filter(None, programs)), limits, self.libraries, self.unsafe))
        runs: list[ProgramRun | Quarantine] = []
        for row, program in zip(rows, programs, strict=True):
            result = next(results) if program else None
            if isinstance(result, SandboxFailure):
                runs.append(Quarantine(row, "sandbox_died", result.error, result.attempts))
            else:
                line = find_last_line(result.printed) if result and result.reason == "ok" else ""
                runs.append(ProgramRun(row, result, line))
        comparisons = self._compare_outputs([case for case in runs if isinstance(case, ProgramRun) and case.line])
        for run in runs:
            if isinstance(run, Quarantine):
                yield run
            elif not run.line:
                yield self._make_row(run, {})
            else:
                comparison = next(comparisons)
                yield comparison if isinstance(comparison, Quarantine) else self._make_row(run, comparison)

    def _compare_outputs(self, runs: Sequence[ProgramRun]) -> Iterator[Row | Quarantine]:
        """The verdicts of `answer_match` on the output, read as if it were the marked answer of a text."""
        marker = next(iter(self.answer_match.markers), "")
        golds = [extract_gold(case.row["answer"], self.answer_match.markers) for case in runs]
        outputs = [read_output(case.line, gold, self.restore_exact) for case, gold in zip(runs, golds, strict=True)]
        attempts = [
            {"question": "", **case.row, "response": f"{marker} {text}".strip()}
            for case, output in zip(runs, outputs, strict=True)
            for text in output.texts
        ]
        outcomes = self.answer_match.rows(attempts, None)
        for run, output in zip(runs, outputs, strict=True):
            outcome = _choose_outcome(output, list(itertools.islice(outcomes, len(output.texts))))
            yield outcome._replace(row=run.row) if isinstance(outcome, Quarantine) else outcome

    def _make_row(self, run: ProgramRun, comparison: Row) -> Row:
        is_open = run.result is None and read_response(run.row[self.column]) is None
        result = run.result or ExecutionResult(OPEN_THOUGHT if is_open else "no_program")
        found_by = comparison.get("found_by")
        unsafe = ", unsafe" if self.unsafe else ""
        own_version = f"{self.version} with {self.interpreter}{unsafe} {fingerprint(self)[:12]}"
        return {
            "row_id": run.row["row_id"],
            "verdict": comparison.get("verdict", "timeout" if result.reason == "timeout" else "unparseable"),
            "rule": comparison.get("rule", result.reason),
            "found_by": (found_by if found_by in ("boxed", "hash") else "last_line") if comparison else None,
            "gold_parsed": comparison.get("gold_parsed"),
            "answer_parsed": comparison.get("answer_parsed"),
            "verifier": "questmill.execute",
            "verifier_version": "; ".join(filter(None, (own_version, comparison.get("verifier_version")))),
            "milliseconds": result.milliseconds + comparison.get("milliseconds", 0.0),
            "ended": result.reason if run.result else None,
            "detail": result.detail,
            "printed": result.printed[-PRINTED_CHARACTERS:] if run.result else None,
            "cpu_seconds": result.cpu_seconds,
            "peak_mib": result.peak_bytes / (1 << 20),
        }


def _choose_outcome(output: OutputReadings, outcomes: Sequence[Row | Quarantine]) -> Row | Quarantine:
    """The outcome for all readings of an output: right if one is, wrong if all are, otherwise undecided."""
    ranked = sorted(outcomes, key=lambda outcome: _VERDICT_RANKS.get(_get_verdict(outcome), 1))
    first = ranked[0]
    if isinstance(first, Quarantine) or (output.can_confirm and first["verdict"] == "correct"):
        return first
    if first["verdict"] == "correct":
        return first | {"verdict": "unparseable", "rule": "printed_brackets"}
    if first["verdict"] == "wrong" and not output.can_refute:
        return first | {"verdict": "unparseable", "rule": "printed_form"}
    return first


def _get_verdict(outcome: Row | Quarantine) -> str:
    return "" if isinstance(outcome, Quarantine) else str(outcome["verdict"])
