"""What checkers have in common that run programs in the sandbox: limits, libraries, and several programs at a time."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from schemas.errors import VerifierBroken
from schemas.identity import NotIdentity
from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.results import ExecutionResult, Limits, SandboxFailure
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

FAILURES = {
    "timeout": ("timeout", "deadline"),
    "memory": ("unparseable", "memory"),
    "forbidden": ("unparseable", "forbidden"),
    "output": ("unparseable", "too_much_output"),
}
"""Verdict and rule for a reason why a program ended, where a limit of ours says nothing about its answer."""


class SandboxedChecker(AnswerChecker):
    """A checker that runs programs in the sandbox. Raises `VerifierBroken` if the machine cannot isolate programs."""

    deadline: float = Field(default=10.0, gt=0, le=3600)
    """Seconds of wall time after which a program is stopped."""
    cpu_seconds: int = Field(default=5, ge=1, le=3600)
    """Seconds of CPU time after which a program is stopped. Unlike wall time, this does not depend on how busy the
    machine is."""
    memory_mib: int = Field(default=512, ge=64)
    """MiB of address space that a program may use, in addition to the interpreter with its libraries."""
    output_kib: int = Field(default=256, ge=1, le=4096)
    """KiB that a program may print, or send back."""
    libraries: tuple[str, ...] = ()
    """Libraries that a program may import, besides the standard library and packages installed in the same folder."""
    unsafe: bool = False
    """Whether programs are run even if the machine cannot keep them from its files and network, where they may do
    anything."""
    interpreter: str = Field(
        default_factory=lambda fields: sandbox.describe_interpreter(fields["libraries"]), validate_default=True
    )
    """Python and library versions that run the programs, as they are installed. Others may behave differently, so they
    are part of the identity."""
    parallel: Annotated[int, NotIdentity] = Field(default=2, ge=1, le=256)
    """How many programs run at a time."""

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

    @property
    def limits(self) -> Limits:
        """The limits of one program."""
        return Limits(self.deadline, self.cpu_seconds, self.memory_mib << 20, self.output_kib << 10)

    def check_many(self, cases: Sequence[AnswerCase]) -> Iterator[Verdict]:
        """One verdict for each case, in order. `parallel` cases are checked at a time."""
        # a worker may have other versions than the caller
        if mismatch := sandbox.describe_mismatch(self.interpreter, self.libraries):
            raise VerifierBroken(f"the checker of {self.answer_type} {mismatch}")
        with ThreadPoolExecutor(self.parallel) as executor:
            yield from executor.map(self._check_timed, cases)

    def _check_timed(self, case: AnswerCase) -> Verdict:
        began = time.perf_counter()
        return self.check(case)._replace(milliseconds=(time.perf_counter() - began) * 1e3)

    def _run(self, program: str, work: sandbox.Work) -> ExecutionResult | SandboxFailure:
        with sandbox.lend_sandbox(self.libraries, self.unsafe) as lent:
            return lent.run(program, self.limits, work)


def explain_failure(result: ExecutionResult | SandboxFailure, otherwise: str) -> Verdict:
    """The verdict on a program that did not end well, where that says nothing about the answer."""
    if isinstance(result, SandboxFailure):
        return Verdict("unparseable", "sandbox_died", answer_parsed=result.error[:FORM_CHARACTERS])
    verdict, rule = FAILURES.get(result.reason, ("unparseable", otherwise))
    return Verdict(verdict, rule, answer_parsed=": ".join(filter(None, (result.reason, result.detail))))
