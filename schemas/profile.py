"""Where a run happens: its store, its cluster and its models. What a run makes is up to the recipe."""

from typing import Literal

from pydantic import Field

from schemas.engine_specs import EngineSpec
from schemas.identity import FrozenModel


class LocalCluster(FrozenModel):
    """A Dask cluster on this machine that is started for one run and closed after it."""

    kind: Literal["local"] = "local"
    workers: int = Field(default=2, ge=1)
    """Number of workers."""
    processes: bool = True
    """Whether workers are processes. False: threads of the flow's own process, which a `memory://` store needs."""
    max_waiting_shards: int = Field(default=32, ge=1)
    """Most shards that may wait for a server's replies at a time in each worker process. With several, the server stays
    busy while one of them waits for its last replies."""
    memory_limit: str = "4GiB"
    """Memory limit of each worker, e.g. `4GiB`."""


class RemoteCluster(FrozenModel):
    """A Dask cluster that is already running."""

    kind: Literal["remote"]
    address: str
    """Address of its scheduler, e.g. `tcp://10.0.0.5:8786`."""


class Profile(FrozenModel):
    """The content of one file of `infra/profiles/`."""

    store: str = "data/lake"
    """Where the lake is: a local folder or any fsspec url. Keys and endpoints (`AWS_ENDPOINT_URL`) come from the
    environment."""
    roles: dict[str, EngineSpec] = Field(default_factory=dict)
    """The engine that plays each role, e.g. `solver`. Several roles may share one model."""
    cluster: LocalCluster | RemoteCluster = Field(default_factory=LocalCluster, discriminator="kind")
    """The Dask cluster that runs the tasks."""
    stall_seconds: float = Field(default=600.0, ge=0)
    """Seconds without a new row or reply after which a run names the shard that makes no progress and keeps what every
    thread of its process is doing. The run goes on. 0: never."""
