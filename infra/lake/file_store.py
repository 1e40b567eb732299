"""The files of one lake, on any fsspec url. They are written once, read, listed and deleted, but never overwritten."""

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import BaseModel

from infra.lake.exclusive_create import WHOLE_BYTES, check_folder, create_local, create_s3
from infra.lake.file_errors import CONNECT_TIMEOUT_SECONDS, is_missing, root_cause, statuses, way_out
from schemas.errors import BadInput, QuestmillError

Record = TypeVar("Record", bound=BaseModel)

NO_LISTINGS_CACHE: dict[str, Any] = {"use_listings_cache": False}
"""Options of fsspec: no caching, because listings must show what other workers have just committed."""
_PARALLEL_DELETES = 8
"""Files to delete at once; an object store takes tens of milliseconds for each."""
_MEMORY_LOCK = threading.Lock()
"""Serializes writes to the memory file system, whose exclusive create is not atomic."""


class FileStore:
    """The files below one url. Several threads and processes may use it at once."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.whole_bytes = WHOLE_BYTES
        try:
            self.fs, root = fsspec.core.url_to_fs(self.url, **NO_LISTINGS_CACHE)
        except (ValueError, ImportError) as error:
            raise BadInput(f"store {url!r}: {error}; give a folder or a url such as s3://bucket/lake") from error
        self.root = str(root).rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether the lake is a local folder."""
        return isinstance(self.fs, LocalFileSystem)

    @property
    def is_memory(self) -> bool:
        """Whether the lake is in the memory of this process, invisible to others."""
        return isinstance(self.fs, MemoryFileSystem)

    def locate(self, path: str) -> str:
        """The full path or url of a file or folder in the lake, in the form that DuckDB reads."""
        return self._full_path(path) if self.is_local else str(self.fs.unstrip_protocol(self._full_path(path)))

    # -- writing ------------------------------------------------------------------------------------------------

    def write(self, path: str, data: bytes) -> bool:
        """Write one complete file. Returns False, and changes nothing, if the path is taken. Raises `BadInput`."""
        full = self._full_path(path)
        try:
            if self.is_local:
                return create_local(Path(full), data)
            if hasattr(self.fs, "call_s3"):
                return self._write_s3(full, data)
            with _MEMORY_LOCK if self.is_memory else contextlib.nullcontext():
                self.fs.pipe_file(full, data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:  # no permission, disk full, a name too long, a read-only file system ...
            raise self._unusable_error(error) from error
        return True

    def _write_s3(self, full: str, data: bytes) -> bool:
        try:
            return create_s3(self.fs, full, data, self.whole_bytes)
        except Exception as error:
            raise self._unusable_error(error) from error

    def remove(self, folder: str) -> None:
        """Delete every file below `folder`; missing files are ignored. No receipt may name any of them."""
        paths = [self._full_path(p) for p in self.list_paths(folder)]
        try:
            with ThreadPoolExecutor(_PARALLEL_DELETES) as pool:
                list(pool.map(self._delete, paths))
            if self.is_local:
                with contextlib.suppress(OSError):  # it is missing, or another worker has just written to it
                    os.rmdir(self._full_path(folder))
        except OSError as error:
            raise self._unusable_error(error) from error

    def _delete(self, full: str) -> None:
        try:
            self.fs.rm_file(full)
        except Exception as error:
            if not is_missing(error):
                raise

    # -- reading ------------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """The bytes at `path`; None if nothing is there."""
        try:
            return self.read_existing(path)
        except FileNotFoundError:
            return None

    def read_existing(self, path: str) -> bytes:
        """The bytes at `path`. Raises `FileNotFoundError` if nothing is there."""
        try:
            return bytes(self.fs.cat_file(self._full_path(path)))
        except FileNotFoundError:
            raise
        except Exception as error:
            if is_missing(error):
                raise FileNotFoundError(path) from error
            if statuses(error):
                raise self._unusable_error(error) from error
            raise

    def open(self, path: str) -> IO[bytes]:
        """The file at `path`, opened for random reading."""
        return cast(IO[bytes], self.fs.open(self._full_path(path), "rb"))

    def read_record(self, model: type[Record], path: str) -> Record | None:
        """The record at `path`; None if nothing is there. Raises `QuestmillError` if it is damaged."""
        data = self.read(path)
        return None if data is None else self.parse_record(model, path, data)

    def parse_record(self, model: type[Record], path: str, data: bytes) -> Record:
        """Parse `data`, read from `path`, as a record. Raises `QuestmillError` if it is damaged."""
        try:
            return model.model_validate_json(data)
        except ValueError as error:
            problem = str(error).splitlines()[0]
            raise QuestmillError(
                f"{path} of {self.url} is damaged: {problem}; restore it, or delete it and run again"
            ) from error

    def read_all(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of every file below `folder`, sorted by path. Files deleted meanwhile are left out."""
        return self.read_many(self.list_paths(folder))

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of each file, in order; many are read at a time. Files that are missing are left out."""
        contents = self.fs.cat_ranges([*map(self._full_path, paths)], None, None, on_error="return") if paths else []
        for path, data in zip(paths, contents, strict=True):
            if isinstance(data, BaseException):
                if is_missing(data):
                    continue
                raise data
            yield path, data

    def list_paths(self, folder: str) -> list[str]:
        """Paths of the files below `folder`, relative to the lake, sorted."""
        try:
            paths = self.fs.find(self._full_path(folder))
        except FileNotFoundError:
            return []
        return sorted(p[len(self.root) + 1 :] for p in map(str, paths) if "/.tmp-" not in p)

    def has_file(self, path: str) -> bool:
        """Whether a file is at `path`."""
        return bool(self.fs.exists(self._full_path(path)))

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        return bool(self.fs.exists(self.root))

    # -- checking -------------------------------------------------------------------------------------------------

    def check(self, write: bool = False) -> bool:
        """Check that the store can be reached. Raises `BadInput` if not.

        With `write`, returns whether the store honours exclusive create; else always True.
        """
        try:
            if self.is_local:
                check_folder(Path(self.root))
            else:
                self._reach()
            if not write:
                return True
            path = f"doctor/{uuid.uuid4().hex}"
            honoured = self.write(path, b"1") and not self.write(path, b"2") and self.read_existing(path) == b"1"
            self.fs.rm_file(self._full_path(path))
            return honoured
        except BadInput:
            raise
        except Exception as error:
            raise self._unusable_error(error) from error

    def _reach(self) -> None:
        """Send the server one cheap request. A full listing would not do: a bucket may hold millions of objects."""
        bucket, _, prefix = self.root.partition("/")
        if hasattr(self.fs, "call_s3"):
            call_with_timeout(
                self.fs, "call_s3", "list_objects_v2", Bucket=bucket, Prefix=f"{prefix}/" * bool(prefix), MaxKeys=1
            )
        else:
            call_with_timeout(self.fs, "ls", bucket, refresh=True)

    def _unusable_error(self, error: BaseException) -> BadInput:
        status = next(iter(statuses(error)), None)
        advice = "give a writable folder with free space" if self.is_local else way_out(status)
        answer = f" (HTTP {status})" if status else ""
        return BadInput(f"store {self.url} cannot be used: {root_cause(error)}{answer}; {advice}")

    def _full_path(self, path: str) -> str:
        return f"{self.root}/{path}"


def call_with_timeout(fs: Any, method: str, *arguments: Any, **options: Any) -> Any:
    """Call `method` of a file system, with a timeout of `CONNECT_TIMEOUT_SECONDS` if it is a remote one."""
    if not getattr(fs, "async_impl", False):
        return getattr(fs, method)(*arguments, **options)
    return fsspec.asyn.sync(fs.loop, getattr(fs, f"_{method}"), *arguments, timeout=CONNECT_TIMEOUT_SECONDS, **options)
