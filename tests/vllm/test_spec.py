"""What can be said of the vLLM engine without vLLM: its spec, its identity, and what a missing one is told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from infra import engines
from schemas.engine_specs import EngineSpec, VllmSpec
from schemas.identity import fingerprint
from tests.vllm.conftest import PUPIL


def test_a_profile_names_it_by_its_kind() -> None:
    told = {"kind": "vllm", "model": "Qwen/Qwen3-8B", "tensor_parallel_size": 2}
    spec: EngineSpec = TypeAdapter(EngineSpec).validate_python(told)
    assert isinstance(spec, VllmSpec) and spec.gpus == 2 and engines.is_io_bound(spec)
    assert spec.model_copy(update={"device": "cpu"}).gpus == 0


@pytest.mark.parametrize("names", [{}, {"model": "a/b", "path": "c"}])
def test_it_has_one_model(names: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="not both"):
        VllmSpec(kind="vllm", **names)


def test_the_identity_is_the_content_and_not_the_place(spec: VllmSpec, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PUPIL, copy)
    elsewhere = spec.model_copy(update={"path": str(copy), "device": "cuda", "max_num_seqs": 8, "stall_seconds": 9.0})
    assert fingerprint(engines.pin_model(spec)) == fingerprint(engines.pin_model(elsewhere)) != fingerprint(spec)
    (copy / "generation_config.json").write_text("{}")
    assert fingerprint(engines.pin_model(elsewhere)) != fingerprint(engines.pin_model(spec))
    assert fingerprint(spec) != fingerprint(spec.model_copy(update={"dtype": "bfloat16"}))


def test_a_missing_model_is_one_clear_line(spec: VllmSpec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no model in .*; name a directory that holds both") as caught:
        engines.pin_model(spec.model_copy(update={"path": str(tmp_path)}))
    assert "\n" not in str(caught.value)


def test_a_missing_vllm_is_one_clear_line(spec: VllmSpec) -> None:
    """In a process that finds none, for it may be installed here."""
    code = (
        "import sys\n"
        "sys.modules['vllm'] = None\n"
        "from infra import engines\n"
        f"from {VllmSpec.__module__} import VllmSpec\n"
        "try:\n"
        "    engines.load(VllmSpec.model_validate_json(sys.argv[1]))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", code, spec.model_dump_json()]
    message = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert message.startswith("vLLM is not installed; pip install 'questmill[vllm]'") and message.count("\n") == 1


def test_naming_the_engine_imports_no_vllm() -> None:
    code = "import sys, infra.engines.vllm; sys.exit(any(m.split('.')[0] in ('torch', 'vllm') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
