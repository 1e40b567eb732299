"""Keeps a migrated, empty database of Prefect's by its version, because migrating a new one takes 7.7 s of CPU."""

import contextlib
import importlib.metadata
import os
import shutil
import sqlite3
import uuid
from pathlib import Path

DATABASE_SETTINGS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
"""Environment variables that name another database than the file in Prefect's home."""


def provide_database(home: Path) -> None:
    """Copy the kept database to a home that has none. The caller holds the home's lock."""
    database, kept = home / "prefect.db", _kept_database()
    if not _is_elsewhere() and not database.exists() and kept.is_file():
        temporary = database.with_suffix(f".{uuid.uuid4().hex}")
        shutil.copyfile(kept, temporary)
        temporary.replace(database)


def keep_database(home: Path, is_new: bool) -> None:
    """Keep a copy of the database of `home`, if it is new and none of this version is kept.

    The caller holds the home's lock, and its server has answered nobody yet. Without a folder to keep it in, the next
    new home is migrated again.
    """
    database, kept = home / "prefect.db", _kept_database()
    if not is_new or _is_elsewhere() or kept.exists() or not database.is_file():
        return
    temporary = kept.with_suffix(f".{uuid.uuid4().hex}")
    with contextlib.suppress(OSError, sqlite3.Error):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(temporary)) as copy,
        ):
            source.backup(copy)
        temporary.replace(kept)
    temporary.unlink(missing_ok=True)


def _kept_database() -> Path:
    cache = Path(os.environ.get("QUESTMILL_CACHE") or Path.home() / ".cache" / "questmill")
    return cache / f"prefect-{importlib.metadata.version('prefect')}.db"


def _is_elsewhere() -> bool:
    return any(os.environ.get(name) for name in DATABASE_SETTINGS)
