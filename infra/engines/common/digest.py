"""Digests the files of a model's directory, and checks that a pinned model has not changed.

A file is read once for each state that it is in: a model of many gigabytes would else be read whole for each use.
"""

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from infra.engines.common.model_folder import check_ctranslate2_folder, check_safetensors_folder

BLOCK_BYTES = 2**20
"""Bytes read from a file at a time."""
DIGESTS_KEPT = 1024
"""Most digests that this process remembers."""


class FileState(NamedTuple):
    """What changes when a file is written or replaced."""

    name: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int


def hash_file(path: Path) -> str:
    """Return the sha256, in hex, of the bytes of one file."""
    return _hash_file_in_state(path.absolute(), _file_state(path))


def hash_safetensors_model(path: Path) -> str:
    """Return the sha256, in hex, of the names and digests of the directory's files; up to 8 are read in parallel.

    Raises ValueError if the directory holds no model.
    """
    check_safetensors_folder(path)
    files = sorted(p for p in path.iterdir() if p.is_file())
    with ThreadPoolExecutor(8) as pool:
        lines = [f"{file.name} {digest}\n" for file, digest in zip(files, pool.map(hash_file, files), strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def hash_ctranslate2_model(path: Path) -> str:
    """Return the sha256, in hex, of the names, sizes and bytes of the files. Raises ValueError if there is no model."""
    check_ctranslate2_folder(path)
    files = sorted(p for p in path.iterdir() if p.is_file())
    return _hash_files_in_state(path.absolute(), tuple(map(_file_state, files)))


def check_pinned(path: str | Path, pinned: str, digest: str) -> None:
    """Raise ValueError if `pinned` is not empty and differs from `digest`, that of the model in `path`."""
    if pinned and pinned != digest:
        raise ValueError(
            f"the model in {path} is not the pinned one ({digest[:12]}, not {pinned[:12]}); restore on this machine "
            "the model that the run started with, or start the run again with the one that is there now"
        )


def _file_state(path: Path) -> FileState:
    stat = path.stat()
    return FileState(path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


@functools.lru_cache(DIGESTS_KEPT)
def _hash_file_in_state(path: Path, state: FileState) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.lru_cache(DIGESTS_KEPT)
def _hash_files_in_state(folder: Path, states: tuple[FileState, ...]) -> str:
    digest = hashlib.sha256()
    for state in states:
        digest.update(f"{state.name}\0{state.size}\0".encode())
        with (folder / state.name).open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
