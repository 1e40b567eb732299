"""The real chat model, real servers around it, and the command of the tests of flows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import api, command, shared
from tests.support.real_model import VLLM_PYTHON, find_llama_server, serve_with_llama_cpp, serve_with_vllm, write_inputs
from tests.support.smollm2 import default_folder, is_complete

__all__ = ["api", "command", "shared"]


@pytest.fixture(scope="session")
def model() -> Path:
    """The folder that holds the model in all formats."""
    if not is_complete(default_folder()):
        pytest.skip("needs the converted model: make real-model")
    return default_folder()


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with the files that the recipes read."""
    write_inputs(tmp_path)
    return tmp_path


@pytest.fixture(scope="session", params=["vllm", "llama_cpp"])
def server(request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of a server that nobody here wrote."""
    log = tmp_path_factory.mktemp(request.param) / "log.txt"
    if request.param == "llama_cpp":
        if (program := find_llama_server()) is None:
            pytest.skip("needs llama.cpp: `llama-server` on the path, or its path in $QUESTMILL_LLAMA_SERVER")
        with serve_with_llama_cpp(program, model, log) as url:
            yield url
        return
    if not (VLLM_PYTHON.parents[1] / "ready").exists():
        pytest.skip("needs vLLM in an environment of its own: make test-vllm")
    with serve_with_vllm(model, log) as url:
        yield url
