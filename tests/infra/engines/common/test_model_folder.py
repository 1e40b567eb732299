"""Whoever names a model that no engine reads is told what it is, and what to do."""

import json
import time
from pathlib import Path

import pytest

from infra.engines import pin_model
from infra.engines.common import digest
from infra.engines.common.digest import hash_ctranslate2_model, hash_file, hash_safetensors_model
from schemas.engine_specs import EmbeddedSpec, EngineSpec, RegressorSpec, VllmSpec

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 135467509\n"
INT8 = {"model.bin": "weights", "tokenizer.json": "{}", "config.json": "{}"}
SAFETENSORS = {"model.safetensors": "weights", "tokenizer.json": "{}", "config.json": "{}"}
INDEX = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"}})


def specs(path: Path) -> dict[str, EngineSpec]:
    return {
        "embedded": EmbeddedSpec(path=str(path)),
        "vllm": VllmSpec(kind="vllm", path=str(path)),
        "regressor": RegressorSpec(kind="regressor", path=str(path)),
    }


def refusal_of(kind: str, path: Path) -> str:
    with pytest.raises(ValueError, match="no model in") as caught:
        pin_model(specs(path)[kind])
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and ";" in message
    return message


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("kind", ["embedded", "vllm", "regressor"])
@pytest.mark.parametrize("place", ["model.Q4_K_M.gguf", "folder", "missing.GGUF"])
def test_a_gguf_file_is_known_and_has_a_way_out(kind: str, place: str, tmp_path: Path) -> None:
    write(tmp_path / "folder", {"model.gguf": "GGUF", "config.json": "{}"})
    write(tmp_path, {"model.Q4_K_M.gguf": "GGUF"})
    message = refusal_of(kind, tmp_path / place)
    assert "GGUF" in message and "llama-server -m" in message and "kind = 'http'" in message


@pytest.mark.parametrize("kind", ["embedded", "vllm", "regressor"])
@pytest.mark.parametrize(
    "files",
    [
        INT8 | {"model.bin": LFS_POINTER},
        SAFETENSORS | {"model.safetensors": LFS_POINTER},
        {"tokenizer.json": LFS_POINTER},
    ],
)
def test_a_pointer_of_git_lfs_is_not_taken_for_a_model(kind: str, files: dict[str, str], tmp_path: Path) -> None:
    assert "run `git lfs pull` there" in refusal_of(kind, write(tmp_path / "clone", files))


@pytest.mark.parametrize("kind", ["vllm", "regressor"])
def test_a_converted_model_names_the_engine_that_reads_it(kind: str, tmp_path: Path) -> None:
    assert "set kind = 'embedded'" in refusal_of(kind, write(tmp_path / "int8", INT8))


@pytest.mark.parametrize("name", ["model.safetensors", "model-00001-of-00002.safetensors", "weights.safetensors"])
def test_safetensors_name_the_engine_that_reads_them(name: str, tmp_path: Path) -> None:
    files = {"config.json": "{}", "tokenizer.json": "{}", name: "weights"}
    message = refusal_of("embedded", write(tmp_path / "model", files))
    assert "set kind = 'vllm'" in message and "ct2-transformers-converter --model" in message
    assert "generation_config.json chat_template.jinja" in message


@pytest.mark.parametrize(
    ("kind", "files", "reason"),
    [
        ("embedded", {}, "model.bin and tokenizer.json missing; run `make pupil`"),
        ("embedded", {"model.bin": "x"}, "tokenizer.json missing"),
        ("vllm", {"pytorch_model.bin": "x", "config.json": "{}"}, "pytorch_model.bin and no safetensors"),
        ("vllm", {"adapter_config.json": "{}", "adapter_model.safetensors": "x"}, "an adapter (LoRA)"),
        ("vllm", {"model-1.safetensors": "x", "model.safetensors.index.json": INDEX, "config.json": "{}"}, "model-2"),
        ("vllm", {"model.safetensors.index.json": INDEX, "config.json": "{}"}, "2 pieces"),
        ("vllm", {"model.safetensors": "x"}, "config.json or safetensors missing"),
    ],
)
def test_what_is_missing_is_named(kind: str, files: dict[str, str], reason: str, tmp_path: Path) -> None:
    assert reason in refusal_of(kind, write(tmp_path / "model", files))


@pytest.mark.parametrize("kind", ["embedded", "vllm", "regressor"])
def test_a_directory_of_both_forms_names_the_one_that_is_meant(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "model/int8", INT8)
    write(tmp_path / "model/safetensors", SAFETENSORS)
    form = "int8" if kind == "embedded" else "safetensors"
    assert f"name the directory {tmp_path / 'model' / form}" in refusal_of(kind, tmp_path / "model")


@pytest.mark.parametrize("kind", ["embedded", "vllm", "regressor"])
def test_a_file_is_not_a_directory(kind: str, tmp_path: Path) -> None:
    write(tmp_path, INT8)
    assert "it is a file; name the directory" in refusal_of(kind, tmp_path / "model.bin")


@pytest.mark.parametrize("kind", ["embedded", "vllm", "regressor"])
def test_a_tilde_is_the_home_directory(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "models", INT8 if kind == "embedded" else SAFETENSORS)
    spec = specs(Path("~/models"))[kind]
    assert spec.model_dump()["path"] == str(tmp_path / "models")
    assert pin_model(spec).model_dump()["digest"]
    assert specs(Path("a~b"))[kind].model_dump()["path"] == "a~b"


def test_a_file_is_read_once_for_each_state(tmp_path: Path) -> None:
    for form, files, hash_model in (
        ("int8", INT8, hash_ctranslate2_model),
        ("safetensors", SAFETENSORS, hash_safetensors_model),
    ):
        folder = write(tmp_path / form, files)
        first = hash_model(folder)
        before = digest._hash_file_in_state.cache_info(), digest._hash_files_in_state.cache_info()
        assert hash_model(folder) == first
        after = digest._hash_file_in_state.cache_info(), digest._hash_files_in_state.cache_info()
        assert [info.misses for info in before] == [info.misses for info in after], "nothing was read again"


@pytest.mark.parametrize("change", ["same size", "replaced", "renamed"])
def test_a_file_that_changed_has_another_digest(change: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", INT8)
    first, alone = hash_ctranslate2_model(folder), hash_file(folder / "model.bin")
    time.sleep(0.02)  # the clock of a file system may have ticks of 4 ms
    if change == "same size":
        (folder / "model.bin").write_text("WEIGHTS")
    elif change == "replaced":
        write(tmp_path, {"other": "others."})
        (tmp_path / "other").rename(folder / "model.bin")
    else:
        (folder / "config.json").rename(folder / "configuration.json")
    assert hash_ctranslate2_model(folder) != first
    assert (hash_file(folder / "model.bin") != alone) == (change != "renamed")
