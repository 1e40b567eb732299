"""Exclusive create: writes a complete file or nothing, and never replaces one, on local disks and on S3 stores."""

import contextlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

from infra.lake.file_errors import is_missing, statuses

WHOLE_BYTES = 1 << 30
"""Bytes from which an object is uploaded in several requests. Some gateways honour If-None-Match only for a single
request."""
TRIES = 5
"""Attempts to write an object when the server reports that its path is taken, but holds no object there."""
CONFLICTS = {409, 412}
"""HTTP statuses of a write whose path is taken or is being written by another client."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
WRITER = "writer"
"""Key of an object's metadata that holds the mark of its writer."""


def create_local(path: Path, data: bytes) -> bool:
    """Create a local file; False if `path` exists. It is written under another name and then linked, so a crash leaves
    no half file and only one of two writers succeeds."""
    # Plain strings and descriptors: a run writes two files a shard, and `Path` would take longer than the kernel.
    full, folder = str(path), str(path.parent)
    if os.path.exists(full):
        return False
    temporary = f"{folder}/.tmp-{uuid.uuid4().hex}"
    try:
        handle = os.open(temporary, _NEW_FILE, 0o666)
    except (FileNotFoundError, NotADirectoryError):
        check_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, _NEW_FILE, 0o666)
    try:
        with open(handle, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(handle)
        os.link(temporary, full)
        flush_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return True


def create_s3(fs: Any, full: str, data: bytes, whole_bytes: int = WHOLE_BYTES) -> bool:
    """Create an S3 object; False if another writer was first. Raises the server's error if it cannot be written.

    The client retries when a response is lost, and may then find the path taken by its own first attempt. So every
    object carries the mark of its writer, and after an error the mark that is found on the server decides.
    """
    mark = uuid.uuid4().hex
    for tries_left in reversed(range(TRIES)):
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
            if not answered or not tries_left or not CONFLICTS.intersection(statuses(error)):
                raise
            time.sleep(0.1 * 2 ** (TRIES - tries_left))
    raise AssertionError("unreachable")


def _read_writer(fs: Any, full: str) -> str | None:
    """The mark of the object's writer; empty if it has none, None if there is no object."""
    bucket, key, _ = fs.split_path(full)
    try:
        head = fs.call_s3("head_object", Bucket=bucket, Key=key)
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return str(head["Metadata"].get(WRITER, ""))


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut. Errors are ignored: some network folders do not support this."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_folder(path: Path) -> None:
    """Raise `NotADirectoryError` if `path` is a file or lies below one."""
    nearest = next((p for p in (path, *path.parents) if p.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is a file")
