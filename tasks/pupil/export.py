"""The trained pupil in the forms that engines read: safetensors (vLLM, further training) and CTranslate2 int8."""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.pupil.config import Schooling
from tasks.pupil.examples import END
from tasks.pupil.mixture import formats
from tasks.pupil.model import make_model


def export(checkpoint: Path, lessons: Path, target: Path) -> tuple[Path, Path]:
    """Write `target/safetensors` (bfloat16), `target/int8` and `target/formats.json`; returns the first two.

    `checkpoint` is the `latest.pt` of a training, `lessons` the folder with its tokenizer.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights = state["model"]
    model = make_model(Schooling(**state["schooling"]), weights["model.embed_tokens.weight"].shape[0])
    model.load_state_dict(weights)
    plain, quick = target / "safetensors", target / "int8"
    for folder in (plain, quick):
        shutil.rmtree(folder, ignore_errors=True)
    _write_plain(model, Tokenizer.from_file(str(lessons / "tokenizer.json")), plain)
    _convert(plain, quick)
    (target / "formats.json").write_text(json.dumps(formats(), indent=2) + "\n")
    return plain, quick


def _write_plain(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(folder)
    # CTranslate2 takes the size of the vocabulary from the tokenizer, vLLM from the config: pad the former up to it.
    spare = model.config.vocab_size - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<spare_{i}>" for i in range(spare)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(folder)


def _convert(plain: Path, quick: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(plain), copy_files=["tokenizer.json", "tokenizer_config.json"]).convert(
        str(quick), quantization="int8"
    )
    config = json.loads((quick / "config.json").read_text())
    # There is no opening token, but the loader insists on a name for one.
    ends = {"bos_token": END, "eos_token": END, "unk_token": "<unk>"}
    (quick / "config.json").write_text(json.dumps({**config, **ends}, indent=2) + "\n")
