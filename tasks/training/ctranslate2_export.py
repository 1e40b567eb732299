"""Converts trained weights for the embedded engine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


COPIED = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
"""What the engine of converted models reads of a tokeniser."""


def _convert(plain: Path, quick: Path, words: Any) -> None:
    from ctranslate2.converters import TransformersConverter

    copied = [name for name in COPIED if (plain / name).is_file()]
    TransformersConverter(str(plain), copy_files=copied).convert(str(quick), quantization="int8")
    config = json.loads((quick / "config.json").read_text())
    # A model without an opening token still needs a name for one: the loader insists.
    ends = {"bos_token": words.bos_token or words.eos_token, "eos_token": words.eos_token}
    ends["unk_token"] = words.unk_token or words.eos_token
    (quick / "config.json").write_text(json.dumps({**config, **ends}, indent=2) + "\n")
