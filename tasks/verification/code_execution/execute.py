"""Runs solutions that are Python programs, and holds what they print last against the gold answer.

What the program may do is said by `sandbox/`, whether two answers are equal by `verification/verify.py`. A program
that did not end well says nothing about its answer, so its verdict is `unparseable` or `timeout`, never `wrong`.
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
from tasks.verification.code_execution.program_extraction import find_program, last_line
from tasks.verification.code_execution.python_output import Printed, readings
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.results import Ending, Failure, Limits
from tasks.verification.verify import Verify, gold_answer

SCHEMA = pa.schema(
    [
        *verdicts.SCHEMA,
        optional("ended", pa.string()),  # one of `sandbox.endings.REASONS`; null where there was no program
        optional("detail", pa.string()),  # network, process, file ...; the exception of an error
        optional("printed", pa.string()),  # on standard output, the last `PRINTED` characters
        measured("cpu_seconds", pa.float32()),
        measured("peak_mib", pa.float32()),  # of memory, the interpreter's included
    ]
)
"""A verdict that also says how the program ended."""

CHUNK = 64
"""Programs run before their answers are judged together."""
PRINTED = 4000
"""Characters kept of what a program printed: the last ones, where the answer is."""
_RANK = {"correct": 0, "wrong": 2}
"""Of several readings, which one is believed; the others lie between."""


class _Case(NamedTuple):
    """A row, how its program ended, and what it printed last; no ending where it had no program."""

    row: Row
    ending: Ending | None
    line: str


class Execute(Stage):
    """One verdict for each row: its program is run, and what it prints last compared with the row's `answer`.

    A program has the standard library, the libraries, an empty environment and an empty folder; `random` starts from
    the same seed each time. One that ends its sandbox twice is quarantined. Raises `VerifierBroken` where the machine
    cannot contain programs.
    """

    label: ClassVar[str] = "execute"
    table: ClassVar[pa.Schema] = SCHEMA
    version: ClassVar[int] = 2

    column: str = "solution"
    """Which column holds the program: its last block of Python, or all of the text where there is no block."""
    deadline: float = Field(default=10.0, gt=0, le=3600)
    """Seconds a program may run."""
    cpu: int = Field(default=5, ge=1, le=3600)
    """Seconds of CPU time it may take: on a busy machine, these are reached after the same work."""
    memory_mib: int = Field(default=512, ge=64)
    """Address space, beside that of the interpreter with its libraries."""
    output_kib: int = Field(default=64, ge=1, le=1024)
    """What it may print."""
    libraries: tuple[str, ...] = ("sympy",)
    """What it may import, beside the standard library and what is installed in the same folder; loaded beforehand."""
    exact: bool = True
    """Read a printed binary fraction also as what it stands for: 0.30000000000000004 as 0.3, 3.3333333333333335 as
    10/3."""
    unsafe: bool = False
    """Run programs also where the machine cannot keep them from its files and its network. They may do anything."""
    interpreter: str = Field(default_factory=lambda fields: sandbox.interpreter(fields["libraries"]))
    """Python and libraries behind the verdicts: others may print otherwise, so it is another stage."""
    equality: Verify = Field(default_factory=Verify)
    """Judges what is printed, as it judges the final answer of a text."""

    @field_validator("libraries")
    @classmethod
    def _known(cls, libraries: tuple[str, ...]) -> tuple[str, ...]:
        sandbox.interpreter(libraries)
        return libraries

    @field_validator("interpreter")
    @classmethod
    def _installed(cls, interpreter: str, info: ValidationInfo) -> str:
        if complaint := _complaint(interpreter, info.data.get("libraries", ())):
            raise ValueError(complaint)
        return interpreter

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row with `row_id`, `answer` and `column`."""
        if complaint := _complaint(self.interpreter, self.libraries):  # a worker need not have what the recipe's had
            raise VerifierBroken(f"{self.label} {complaint}")
        if lacking := sorted({self.column, "answer"} - batch[0].keys()) if batch else []:
            raise BadInput(f"{self.label}: the rows have no column {lacking[0]!r}; name the program's with `column`")
        for start in range(0, len(batch), CHUNK):
            yield from self._judged(batch[start : start + CHUNK])

    def _judged(self, rows: Sequence[Row]) -> Iterator[Row | Quarantine]:
        programs = [find_program(row[self.column]) for row in rows]
        limits = Limits(self.deadline, self.cpu, self.memory_mib << 20, self.output_kib << 10)
        endings = iter(sandbox.run(list(filter(None, programs)), limits, self.libraries, self.unsafe))
        cases: list[_Case | Quarantine] = []
        for row, program in zip(rows, programs, strict=True):
            ending = next(endings) if program else None
            if isinstance(ending, Failure):
                cases.append(Quarantine(row, "sandbox_died", ending.error, ending.attempts))
            else:
                line = last_line(ending.printed) if ending and ending.reason == "ok" else ""
                cases.append(_Case(row, ending, line))
        rulings = self._compare([case for case in cases if isinstance(case, _Case) and case.line])
        for case in cases:
            if isinstance(case, Quarantine):
                yield case
            elif not case.line:
                yield self._outcome(case, {})
            else:
                ruling = next(rulings)
                yield ruling if isinstance(ruling, Quarantine) else self._outcome(case, ruling)

    def _compare(self, cases: Sequence[_Case]) -> Iterator[Row | Quarantine]:
        """Verdicts of the Verify stage on what was printed, as if it were the marked answer of a text."""
        marker = next(iter(self.equality.markers), "")
        golds = [gold_answer(case.row["answer"], self.equality.markers) for case in cases]
        printed = [readings(case.line, gold, self.exact) for case, gold in zip(cases, golds, strict=True)]
        attempts = [
            {"question": "", **case.row, "response": f"{marker} {text}".strip()}
            for case, said in zip(cases, printed, strict=True)
            for text in said.texts
        ]
        outcomes = self.equality.rows(attempts, None)
        for case, said in zip(cases, printed, strict=True):
            outcome = _settled(said, list(itertools.islice(outcomes, len(said.texts))))
            yield outcome._replace(row=case.row) if isinstance(outcome, Quarantine) else outcome

    def _outcome(self, case: _Case, ruling: Row) -> Row:
        ending = case.ending or Ending("no_program")
        found_by = ruling.get("found_by")
        unsafe = ", unsafe" if self.unsafe else ""
        ours = f"{self.version} with {self.interpreter}{unsafe} {fingerprint(self)[:12]}"
        return {
            "row_id": case.row["row_id"],
            "verdict": ruling.get("verdict", "timeout" if ending.reason == "timeout" else "unparseable"),
            "rule": ruling.get("rule", ending.reason),
            "found_by": (found_by if found_by in ("boxed", "hash") else "last_line") if ruling else None,
            "gold_parsed": ruling.get("gold_parsed"),
            "answer_parsed": ruling.get("answer_parsed"),
            "verifier": "questmill.execute",
            "verifier_version": "; ".join(filter(None, (ours, ruling.get("verifier_version")))),
            "milliseconds": ending.milliseconds + ruling.get("milliseconds", 0.0),
            "ended": ending.reason if case.ending else None,
            "detail": ending.detail,
            "printed": ending.printed[-PRINTED:] if case.ending else None,
            "cpu_seconds": ending.cpu_seconds,
            "peak_mib": ending.peak_bytes / (1 << 20),
        }


def _settled(said: Printed, found: Sequence[Row | Quarantine]) -> Row | Quarantine:
    """One outcome of those of all readings: right if one is, wrong if all are, and neither where nobody knows."""
    ranked = sorted(found, key=lambda outcome: _RANK.get(_verdict(outcome), 1))
    first = ranked[0]
    if isinstance(first, Quarantine) or (said.confirms and first["verdict"] == "correct"):
        return first
    if first["verdict"] == "correct":
        return first | {"verdict": "unparseable", "rule": "printed_brackets"}
    if first["verdict"] == "wrong" and not said.refutes:
        return first | {"verdict": "unparseable", "rule": "printed_form"}
    return first


def _verdict(outcome: Row | Quarantine) -> str:
    return "" if isinstance(outcome, Quarantine) else str(outcome["verdict"])


def _complaint(interpreter: str, libraries: Sequence[str]) -> str:
    """What is wrong with `interpreter`; empty if it is the installed one."""
    installed = sandbox.interpreter(libraries)
    if interpreter == installed:
        return ""
    return f"was asked for {interpreter}, but this machine has {installed}; install the former"
