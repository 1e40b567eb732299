"""The format of a lake: one that an earlier version wrote is refused with the way out, before anything reads it."""

from infra.lake.store import Store
from schemas.errors import BadInput

FORMAT = "2"
"""Format 1 named steps, fields and verifiers by other words and derived its seeds otherwise; it bore no mark."""
MARK = "format"
"""The file that holds it, at the top of the lake."""


def check_format(store: Store) -> None:
    """Raises `BadInput` where the lake has receipts of another format. Writes nothing; an empty lake has none yet."""
    found = (store.read(MARK) or b"").decode().strip()
    if found == FORMAT or (not found and not store.has_receipts()):
        return
    raise BadInput(
        f"store {store.url} has format {found or '1'}, and this version reads format {FORMAT}; name an empty one with "
        "--store, and keep this one for the version that wrote it: its rows are exported by `questmill query`"
    )


def mark_format(store: Store) -> None:
    """Mark the lake with the format of this version, unless it is marked already. Raises as `check_format` does."""
    check_format(store)
    store.write(MARK, f"{FORMAT}\n".encode())
