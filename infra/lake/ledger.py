"""The ledger of a published version: checks that every row of each of its steps is accounted for exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.errors import LedgerError
from schemas.receipts import Committed, Receipt, StepCount, Usage

MAX_CUT_OFF_SHARE = 0.2
"""Share of a step's samples that may be cut off before the run warns: such replies are lost, and paid for."""


def balance(steps: list[list[Receipt]]) -> tuple[StepCount, ...]:
    """The funnel, with one line for each step. Raises `LedgerError` for the first step whose rows do not add up."""
    rows_by_digest = {digest: rows for step in steps for digest, rows in _rows_by_digest(step).items()}
    read_digests = {digest for step in steps for digest in _digests_read(step)}
    for receipt in (receipt for step in steps for receipt in step):
        name = f"step {receipt.step}, shard {receipt.key[:12]}"
        if not receipt.is_balanced:
            raise LedgerError(
                f"{name}: {receipt.rows_in} rows in are not {receipt.kept} kept + {sum(receipt.rejected.values())} "
                f"rejected + {sum(receipt.quarantined.values())} quarantined; nothing was published"
            )
        input_rows = [rows_by_digest[digest] for digest in receipt.inputs if digest in rows_by_digest]
        if input_rows and sum(input_rows) != receipt.rows_in:
            raise LedgerError(
                f"{name}: its inputs hold {sum(input_rows)} rows, not {receipt.rows_in}; nothing was published"
            )
    for receipt in (receipt for step in steps[:-1] for receipt in step):
        unread_rows = sum(part.rows for part in receipt.parts if part.digest not in read_digests)
        if unread_rows:
            raise LedgerError(
                f"step {receipt.step}: no later step worked on {unread_rows} of its rows; nothing was published"
            )
    for step in steps:
        _check_fully_read(step, [other for other in steps if other is not step])
    return tuple(count_step(step) for step in steps)


def describe_earlier_work(step: Sequence[Committed]) -> dict[Literal["used", "redone"], str]:
    """Messages about a step whose rows other code made, or that was worked again; empty if neither is the case."""
    used, redone = (sum(receipt.earlier_work == what for receipt in step) for what in ("used", "redone"))
    lines: dict[Literal["used", "redone"], str] = {}
    if used:
        lines["used"] = (
            f"step {step[0].step}: {used:,} of {len(step):,} shards were worked by other code, and their rows are "
            "used; --on-changed-code redo works them again"
        )
    if redone:
        lines["redone"] = f"step {step[0].step}: {redone:,} of {len(step):,} shards are worked again"
    return lines


@dataclass
class SampleCount:
    """How many samples of a step were cut off."""

    samples: int = 0
    """Samples that the step was given."""
    cut_off: int = 0
    """Samples that were cut off."""
    limits: set[int] = field(default_factory=set)
    """The step's `max_tokens`."""

    def add(self, receipt: Receipt) -> None:
        """Add the samples of one receipt."""
        self.samples += int(receipt.details.get("samples", 0))
        self.cut_off += int(receipt.details.get("cut_off", 0))
        if "max_tokens" in receipt.details:
            self.limits.add(int(receipt.details["max_tokens"]))

    def __add__(self, other: "SampleCount") -> "SampleCount":
        return SampleCount(self.samples + other.samples, self.cut_off + other.cut_off, self.limits | other.limits)

    def describe(self, step: str) -> str | None:
        """A message about a step of which more than `MAX_CUT_OFF_SHARE` of the samples were cut off; else None."""
        if not self.samples or (share := self.cut_off / self.samples) <= MAX_CUT_OFF_SHARE:
            return None
        limit = f" at max_tokens {' or '.join(map(str, sorted(self.limits)))}" if self.limits else ""
        return (
            f"step {step}: {self.cut_off:,} of {self.samples:,} samples ({share:.0%}) were cut off{limit}; "
            "raise its sampling.max_tokens"
        )


def describe_cut_off(step: list[Receipt]) -> str | None:
    """A message about a step of which more than `MAX_CUT_OFF_SHARE` of the samples were cut off; else None."""
    count = SampleCount()
    for receipt in step:
        count.add(receipt)
    return count.describe(step[0].step)


def find_upstream(steps: list[list[Receipt]]) -> list[list[Receipt]]:
    """The last step and all steps that its rows come from, in their order.

    Other steps are left out: a run may publish two datasets, and some steps belong only to the other one.
    """
    selected, waiting = [len(steps) - 1], [len(steps) - 1]
    while waiting:
        read = _digests_read(steps[waiting.pop()])
        unselected = [number for number in range(len(steps)) if number not in selected]
        upstream = [unselected[i] for i in _tables_read(read, [_rows_by_digest(steps[n]) for n in unselected])]
        selected += upstream
        waiting += upstream
    return [steps[number] for number in sorted(selected)]


def _rows_by_digest(step: list[Receipt]) -> dict[str, int]:
    return {part.digest: part.rows for receipt in step for part in receipt.parts}


def _digests_read(step: list[Receipt]) -> set[str]:
    return {digest for receipt in step for digest in (*receipt.inputs, *receipt.other_inputs)}


def _tables_read(read: set[str], tables: list[dict[str, int]]) -> list[int]:
    """Numbers of the tables that were read, completely or in part.

    Two tables may share a part, because a filter that drops nothing yields the bytes that it received. Digests that a
    completely read table explains are not attributed to another table.
    """
    explained = {digest for table in tables if table.keys() <= read for digest in table}
    return [
        number
        for number, table in enumerate(tables)
        if table and (table.keys() <= read or table.keys() & read - explained)
    ]


def _check_fully_read(step: list[Receipt], others: list[list[Receipt]]) -> None:
    """Raise `LedgerError` if `step` read some parts of a table but not others."""
    read, tables = _digests_read(step), [_rows_by_digest(other) for other in others]
    for number in _tables_read(read, tables):
        table = tables[number]
        if unread_rows := sum(rows for digest, rows in table.items() if digest not in read):
            raise LedgerError(
                f"step {step[0].step}: {unread_rows} of the {sum(table.values())} rows of step "
                f"{others[number][0].step} "
                "were left out; nothing was published"
            )


def count_step(receipts: list[Receipt]) -> StepCount:
    """Sum the receipts of one step."""
    rejected: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    for receipt in receipts:
        for reason, n in receipt.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + n
        for reason, n in receipt.quarantined.items():
            quarantined[reason] = quarantined.get(reason, 0) + n
    return StepCount(
        step=receipts[0].step,
        shards=sum(len(r.parts) for r in receipts),
        rows_in=sum(r.rows_in for r in receipts),
        kept=sum(r.kept for r in receipts),
        rejected=rejected,
        quarantined=quarantined,
        rows_out=sum(p.rows for r in receipts for p in r.parts),
        seconds=round(sum(r.seconds for r in receipts), 3),
        usage=sum((r.usage for r in receipts), Usage()),
    )
