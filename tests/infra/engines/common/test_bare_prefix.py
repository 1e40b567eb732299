"""The lines of a profile that ask a server for the beginning of a user's turn are printed from a model's files."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from infra.engines.common.bare_prefix import main, profile_lines
from schemas.engine_specs import HttpSpec
from tests.support.chat_templates import FAMILIES


def write_family(folder: Path, family: str) -> Path:
    described = FAMILIES[family]
    tokens = [{"id": i, "content": token} for i, token in enumerate(described.added_tokens)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))
    config = {"chat_template": described.source, **described.special_tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lines_are_those_of_the_template(family: str, tmp_path: Path) -> None:
    lines = tomllib.loads(profile_lines(write_family(tmp_path, family)))
    prefix, _, end = FAMILIES[family].bare
    spec = HttpSpec(kind="http", model="m", base_url=("http://localhost/v1",), **lines)
    assert (spec.layout, spec.bare_prefix) == ("bare", prefix)
    (stop,) = spec.extra_body["stop"]
    assert stop == end or not end


def test_a_system_turn_may_say_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = 'You "teach" \N{GRINNING FACE} \\ maths.'
    assert main([str(write_family(tmp_path, "qwen3")), system]) == 0
    lines = tomllib.loads(capsys.readouterr().out)
    assert lines["bare_prefix"] == f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"


@pytest.mark.parametrize(
    ("family", "arguments", "code", "words"),
    [
        ("gemma-2", ["You teach."], 1, "error: the chat template of .*System role not supported"),
        ("", [], 1, "error: no chat template beside"),
        ("smollm2", ["a", "b"], 2, "python -m infra.engines.common.bare_prefix DIRECTORY"),
    ],
)
def test_what_is_wrong_is_said(
    family: str, arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_family(tmp_path, family) if family else tmp_path
    assert main([str(folder), *arguments]) == code
    output = capsys.readouterr()
    assert not output.out and re.search(words, output.err)
