"""Digests the files of a model's directory, and checks that a pinned model has not changed."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CTRANSLATE2_HELP = (
    "run `make pupil`, or name a directory made by ct2-transformers-converter --copy_files tokenizer.json"
)
BLOCK_BYTES = 2**20
"""Bytes read from a file at a time."""


def hash_file(path: Path) -> str:
    """Return the sha256, in hex, of the bytes of one file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_safetensors_model(path: Path) -> str:
    """Return the sha256, in hex, of the names and digests of the directory's files; up to 8 are read in parallel.

    Raises ValueError if the directory holds no model.
    """
    if not (path / "config.json").is_file() or not any(path.glob("*.safetensors")):
        raise ValueError(f"no model in {path}: config.json or safetensors missing; name a directory that holds both")
    files = sorted(p for p in path.iterdir() if p.is_file())
    with ThreadPoolExecutor(8) as pool:
        lines = [f"{file.name} {digest}\n" for file, digest in zip(files, pool.map(hash_file, files), strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def hash_ctranslate2_model(path: Path) -> str:
    """Return the sha256, in hex, of the names, sizes and bytes of the files. Raises ValueError if there is no model."""
    missing = [name for name in ("model.bin", "tokenizer.json") if not (path / name).is_file()]
    if missing:
        raise ValueError(f"no model in {path}: {' and '.join(missing)} missing; {CTRANSLATE2_HELP}")
    digest = hashlib.sha256()
    for file in sorted(p for p in path.iterdir() if p.is_file()):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def check_pinned(path: str | Path, pinned: str, digest: str) -> None:
    """Raise ValueError if `pinned` is not empty and differs from `digest`, that of the model in `path`."""
    if pinned and pinned != digest:
        raise ValueError(
            f"the model in {path} is not the pinned one ({digest[:12]}, not {pinned[:12]}); restore on this machine "
            "the model that the run started with, or start the run again with the one that is there now"
        )
