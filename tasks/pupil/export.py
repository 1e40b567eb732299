"""Exports the trained pupil for engines: safetensors (vLLM, further training) and CTranslate2 int8."""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.pupil.config import PupilTraining
from tasks.pupil.examples import END_TOKEN
from tasks.pupil.mixture import list_formats
from tasks.pupil.model import make_model
from tasks.training.ctranslate2_export import convert_to_int8


def export_pupil(checkpoint: Path, dataset: Path, target: Path) -> tuple[Path, Path]:
    """Write `target/safetensors` (bfloat16), `target/int8` and `target/formats.json`; return the first two paths.

    `checkpoint` is the `latest.pt` of a training, and `dataset` is the folder with its tokenizer.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights = state["model"]
    model = make_model(PupilTraining(**state["schooling"]), weights["model.embed_tokens.weight"].shape[0])
    model.load_state_dict(weights)
    safetensors, int8 = target / "safetensors", target / "int8"
    for folder in (safetensors, int8):
        shutil.rmtree(folder, ignore_errors=True)
    tokenizer = _write_safetensors(model, Tokenizer.from_file(str(dataset / "tokenizer.json")), safetensors)
    convert_to_int8(safetensors, int8, tokenizer)
    (target / "formats.json").write_text(json.dumps(list_formats(), indent=2) + "\n")
    return safetensors, int8


def _write_safetensors(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> PreTrainedTokenizerFast:
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(folder)
    # CTranslate2 takes the size of the vocabulary from the tokenizer, vLLM from the config: pad the tokenizer up to it.
    spare = model.config.vocab_size - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<spare_{i}>" for i in range(spare)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_TOKEN,
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(folder)
    return fast
