"""Says what is wrong with a model's directory before anything is loaded from it, and what to do about it."""

import json
from collections.abc import Iterator
from pathlib import Path

COPIED_FILES = "tokenizer.json tokenizer_config.json generation_config.json chat_template.jinja"
"""Files of the original model that the embedded engine reads. Not every model has the last two."""
CTRANSLATE2_HELP = (
    f"run `make pupil`, or name a directory made by ct2-transformers-converter --copy_files {COPIED_FILES}"
)
SAFETENSORS_HELP = "name a directory that holds both"
LFS_MARK = b"version https://git-lfs.github.com/spec/"
"""Beginning of the small text that stands for a large file in a repository until Git LFS fetches it."""
LFS_MOST_BYTES = 1024
"""Most bytes of such a text."""
SAFETENSORS_INDEX = "model.safetensors.index.json"
"""File that names the pieces of a large model."""


def check_ctranslate2_folder(path: Path) -> None:
    """Raise ValueError, in one line with the way out, if `path` holds no model for the embedded engine."""
    _check_place(path)
    missing = [name for name in ("model.bin", "tokenizer.json") if not (path / name).is_file()]
    if "model.bin" in missing and any(path.glob("*.safetensors")):
        _raise(
            path,
            "it holds safetensors, which the embedded engine does not read; set kind = 'vllm', or convert it: "
            f"ct2-transformers-converter --model {path} --output_dir DIRECTORY --quantization int8 "
            f"--copy_files {COPIED_FILES}",
        )
    if missing:
        _raise(path, f"{' and '.join(missing)} missing; {_suggest(path, 'int8', 'model.bin') or CTRANSLATE2_HELP}")


def check_safetensors_folder(path: Path) -> None:
    """Raise ValueError, in one line with the way out, if `path` holds no safetensors with their configuration."""
    _check_place(path)
    weights = sorted(path.glob("*.safetensors"))
    if not weights and (path / "model.bin").is_file():
        _raise(
            path,
            "it holds a model converted for CTranslate2 (model.bin); set kind = 'embedded', or name the directory of "
            "the safetensors that it was converted from",
        )
    if not weights and (other := next((p.name for p in sorted(path.glob("*.bin"))), "")):
        _raise(path, f"it holds {other} and no safetensors; load it with transformers and save it again")
    if not weights and (path / SAFETENSORS_INDEX).is_file():
        weights = [path / SAFETENSORS_INDEX]
    if not (path / "config.json").is_file() or not weights:
        help_text = _suggest(path, "safetensors", "config.json") or SAFETENSORS_HELP
        _raise(path, f"config.json or safetensors missing; {help_text}")
    if pieces := list(_missing_pieces(path)):
        _raise(path, f"{len(pieces)} pieces of the model are missing, e.g. {pieces[0]}; download the model again")


def _check_place(path: Path) -> None:
    """Raise ValueError if `path` is no directory, or holds what no engine in the worker reads."""
    gguf = path if path.suffix.lower() == ".gguf" else next(iter(sorted(path.glob("*.gguf"))), None)
    if gguf is not None and not (path / "model.bin").is_file() and not any(path.glob("*.safetensors")):
        _raise(
            path,
            f"no engine in the worker reads GGUF; serve it with llama.cpp (llama-server -m {gguf}) and name the "
            "server in the role: kind = 'http'",
        )
    if path.is_file():
        _raise(path, f"it is a file; name the directory that it lies in, {path.parent}")
    if path.is_dir() and (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        _raise(path, "it holds an adapter (LoRA), not a model; merge it into the model that it was trained from")
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        if _is_lfs_pointer(file):
            _raise(path, f"{file.name} is a pointer of Git LFS and not the file itself; run `git lfs pull` there")


def _is_lfs_pointer(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size > LFS_MOST_BYTES:
        return False
    with file.open("rb") as stream:
        return stream.read(len(LFS_MARK)) == LFS_MARK


def _suggest(path: Path, name: str, file: str) -> str:
    """The directory within `path` that was probably meant, if there is one."""
    return f"name the directory {path / name}" if (path / name / file).is_file() else ""


def _missing_pieces(path: Path) -> Iterator[str]:
    """Files that the index of a large model names and that are not there."""
    index = path / SAFETENSORS_INDEX
    if index.is_file():
        names = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()
        yield from (name for name in sorted(set(names)) if not (path / name).is_file())


def _raise(path: Path, problem: str) -> None:
    raise ValueError(f"no model in {path}: {problem}")
