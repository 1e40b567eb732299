"""What a Dask task of a step holds: its own input, and the rest of the call packed once for all tasks of the step.

The scheduler passes the packed call on as bytes. It neither reads it nor needs the modules that it names.
"""

import functools
import uuid
from typing import Any

from distributed.protocol import pickle

from infra.cluster import stall_watch
from infra.cluster.step_execution import StepExecution
from schemas.receipts import Receipt

CACHED_BYTES = 64 * 1024
"""Most bytes of a packed call that a worker keeps unpacked for the next task of the step."""


def pack_call(step: StepExecution, stall_seconds: float = 0.0) -> bytes:
    """Pack what all calls of a step have in common. Two packed calls are never equal: a module may be loaded anew.

    `stall_seconds`: after so many seconds without progress a call is reported; 0: never.
    """
    call = (uuid.uuid4().hex, step.name, stall_seconds, step.function, step.argument, dict(step.constants))
    return bytes(pickle.dumps(call))


def run_call(given: Any, packed: bytes) -> Any:
    """Call the function of a step. The receipt of a shard of the step before stands for its part. Runs on a worker."""
    unpack = _unpack_once if len(packed) <= CACHED_BYTES else pickle.loads
    _, name, stall_seconds, function, argument, constants = unpack(packed)
    value = given.parts[0] if isinstance(given, Receipt) else given
    with stall_watch.watch_task(name, stall_seconds):
        return function(**{argument: value}, **constants)


@functools.lru_cache(maxsize=64)
def _unpack_once(packed: bytes) -> Any:
    return pickle.loads(packed)
