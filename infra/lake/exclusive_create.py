"""Writes a file whole or not at all, and only where none is: on a local disk, and on object stores that speak S3."""

import contextlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

from infra.lake.file_errors import is_missing, statuses

WHOLE_BYTES = 1 << 30
"""Bytes up to which an object is one request: some gateways honour If-None-Match there, but not at the end of many."""
TRIES = 5
"""How often an object is written where the server calls its path taken, and then has nothing there."""
CONFLICTS = {409, 412}
"""HTTP statuses of a write whose path is taken, or was being written by another."""
WRITER = "writer"
"""Metadata of an object: the mark of who wrote it."""


def create_local(path: Path, data: bytes) -> bool:
    """Write beside the target, then link: a crash leaves no half file, and the second of two writers gets False."""
    check_folder(path.parent)
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        flush_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def create_s3(fs: Any, full: str, data: bytes, whole_bytes: int = WHOLE_BYTES) -> bool:
    """As `create_local`; whatever the answer to the write was, what is there afterwards decides.

    A client tries again by itself where an answer is lost, and is then told that the path is taken: by itself. So
    every object bears a mark of who wrote it. Raises what the server answered where the object cannot be written.
    """
    mark = uuid.uuid4().hex
    for left in reversed(range(TRIES)):
        if len(data) >= whole_bytes and (writer := _read_writer(fs, full)) is not None:
            return writer == mark
        try:
            fs.pipe_file(full, data, whole_bytes // 2, mode="create", Metadata={WRITER: mark})
            return True
        except Exception as error:
            writer, answered = None, False
            with contextlib.suppress(Exception):
                writer, answered = _read_writer(fs, full), True
            if writer is not None:
                return writer == mark
            if not answered or not left or not CONFLICTS.intersection(statuses(error)):
                raise
            time.sleep(0.1 * 2 ** (TRIES - left))
    raise AssertionError("unreachable")


def _read_writer(fs: Any, full: str) -> str | None:
    """The mark of who wrote the object, empty where it bears none; None where no object is there."""
    bucket, key, _ = fs.split_path(full)
    try:
        found = fs.call_s3("head_object", Bucket=bucket, Key=key)
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return str(found["Metadata"].get(WRITER, ""))


def flush_folder(folder: Path) -> None:
    """Let the names in `folder` outlast a power cut, as their bytes do; some network folders cannot promise that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_folder(path: Path) -> None:
    """Raises `NotADirectoryError` where `path` is a file, or lies below one."""
    nearest = next((p for p in (path, *path.parents) if p.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is a file")
