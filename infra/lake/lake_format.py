"""The format of a lake. A lake of another format is refused, with the way out, before anything reads it."""

from infra.lake.store import Store
from schemas.errors import BadInput

FORMAT = "2"
"""Format of this version. Format 1 had other names of steps, fields and verifiers and other seeds, and no mark."""
MARK = "format"
"""Name of the file at the top of the lake that holds the format."""


def check_format(store: Store) -> None:
    """Raise `BadInput` if the lake has another format. An empty lake has no format yet. Writes nothing."""
    lake_format = (store.read(MARK) or b"").decode().strip()
    if lake_format == FORMAT or (not lake_format and not store.has_receipts()):
        return
    raise BadInput(
        f"store {store.url} has format {lake_format or '1'}, and this version reads format {FORMAT}; name an empty one "
        "with --store, and keep this one for the version that wrote it: its rows are exported by `questmill query`"
    )


def mark_format(store: Store) -> None:
    """Mark the lake with the format of this version, unless it is marked already. Raises `BadInput` if it has
    another."""
    check_format(store)
    store.write(MARK, f"{FORMAT}\n".encode())
