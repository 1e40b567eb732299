"""Converts trained weights to int8 for the embedded engine."""

import json
from pathlib import Path
from typing import Any

COPIED_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
"""Files, beside the weights, that the engine of converted models reads."""


def convert_to_int8(safetensors: Path, int8: Path, tokenizer: Any) -> None:
    """Convert the model in the folder `safetensors` to int8 weights in the folder `int8`."""
    from ctranslate2.converters import TransformersConverter

    copied = [name for name in COPIED_FILES if (safetensors / name).is_file()]
    TransformersConverter(str(safetensors), copy_files=copied).convert(str(int8), quantization="int8")
    config = json.loads((int8 / "config.json").read_text())
    # The loader requires a name for the opening token, even if the model has none.
    ends = {"bos_token": tokenizer.bos_token or tokenizer.eos_token, "eos_token": tokenizer.eos_token}
    ends["unk_token"] = tokenizer.unk_token or tokenizer.eos_token
    (int8 / "config.json").write_text(json.dumps({**config, **ends}, indent=2) + "\n")
