"""Finds out whether a step's work was done before and by which code, and under which key to do it now.

Work that is redone keeps its earlier receipt, because published versions may refer to it, and gets a new key: the
earlier key combined with the digest of the code. So the same run, started again, finds the work that it has redone,
and so does every later run with that code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.cluster.code_digest import digest_of_step
from infra.lake import catalog
from infra.lake.store import Store
from schemas.code_policy import CodePolicy
from schemas.errors import CodeChanged
from schemas.identity import fingerprint
from schemas.receipts import Committed, Part, Receipt
from schemas.steps import Merge, Step


@dataclass(frozen=True)
class Work:
    """The work of a step on one input: its receipt if it is done, else the key and the code for a new receipt."""

    key: str
    code: str
    done: Receipt | None = None
    is_redone: bool = False

    def sign(self, receipt: Receipt) -> Receipt:
        """Return `receipt` with the code that did the work."""
        return receipt.model_copy(update={"code": self.code, "earlier_work": "redone" if self.is_redone else None})


def find_work(store: Store, step: Step, key: str, policy: CodePolicy) -> Work:
    """Find the receipt of `key`, preferably one of this code; raises `CodeChanged` if `policy` stops at other code.

    A receipt that names no code counts as one of this code.
    """
    code = digest_of_step(type(step))
    redo_key = fingerprint("redo", key, code)
    if (redone := store.read_receipt(step.label, redo_key)) is not None:
        return Work(redo_key, code, redone)
    done = store.read_receipt(step.label, key)
    if step.label in policy.redo:
        return Work(redo_key, code, is_redone=done is not None)
    if done is None or not _is_of_other_code(done, code):
        return Work(key, code, done)
    match policy.on_changed_code:
        case "use":
            return Work(key, code, done.model_copy(update={"earlier_work": "used"}))
        case "redo":
            return Work(redo_key, code, is_redone=True)
        case "stop":
            raise CodeChanged(
                f"step {step.label}: shard {key[:12]} was done by other code ({done.code}, now {code}); "
                "keep its rows with --on-changed-code use, or redo it with --on-changed-code redo"
            )


def find_merge_work(
    store: Store, merge: Merge, tables: Sequence[Sequence[Committed]], shard_rows: int, policy: CodePolicy
) -> tuple[list[list[Part]], Work]:
    """The parts of each input of a merge, each once, and its work; raises `CodeChanged` as `find_work` does."""
    parts = [catalog.unique_parts(part for receipt in table for part in receipt.parts) for table in tables]
    key = fingerprint(merge, shard_rows, [[part.digest for part in table] for table in parts])
    return parts, find_work(store, merge, key, policy)


def _is_of_other_code(receipt: Receipt, code: str) -> bool:
    return bool(receipt.code and code) and receipt.code != code
