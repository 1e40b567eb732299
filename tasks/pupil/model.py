"""Builds the pupil's model, with fresh weights or those of an exported model."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from tasks.pupil.config import PupilTraining


def make_model(config: PupilTraining, vocabulary: int) -> LlamaForCausalLM:
    """Make a Llama with fresh weights, which depend on the seed only."""
    torch.manual_seed(config.seed)
    llama_config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        intermediate_size=config.feed_forward,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.context,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(llama_config)


def load_weights(model: LlamaForCausalLM, folder: Path, tokenizer: Path) -> None:
    """Load the weights of an exported model. Tokens are matched by spelling, so the vocabulary may differ.

    Raises ValueError if `folder` holds no model of this architecture.
    """
    try:
        old = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
        old_vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    except Exception as error:
        raise ValueError(f"no model to begin with in {folder}: {error}") from error
    new = model.state_dict()
    pairs = [
        (i, old_vocabulary[word])
        for word, i in Tokenizer.from_file(str(tokenizer)).get_vocab().items()
        if word in old_vocabulary
    ]
    new_ids, old_ids = (torch.tensor(side) for side in zip(*pairs, strict=True))
    with torch.no_grad():
        for name, tensor in new.items():
            if "embed" in name or "lm_head" in name:
                tensor[new_ids] = old[name][old_ids]
            elif name in old and old[name].shape == tensor.shape:
                tensor.copy_(old[name])
            else:
                raise ValueError(f"{folder} has another architecture: {name} differs")
