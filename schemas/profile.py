"""Where a run happens: its store and its cluster. What is made is the recipe's business, not the profile's."""

from typing import Literal

from pydantic import Field

from schemas.engine_specs import EngineSpec
from schemas.identity import FrozenModel


class LocalCluster(FrozenModel):
    """A Dask cluster on this machine, opened for one run and closed after it."""

    kind: Literal["local"] = "local"
    workers: int = Field(default=2, ge=1)
    """Worker processes."""
    processes: bool = True
    """False: threads of the flow's own process, which is what a `memory://` store needs."""
    max_waiting_shards: int = Field(default=32, ge=1)
    """Shards that may wait for a server's replies at a time, in each worker process: while one drains, others fill."""
    memory_limit: str = "4GiB"
    """Memory limit of a worker."""


class RemoteCluster(FrozenModel):
    """A Dask cluster that is already running."""

    kind: Literal["remote"]
    address: str
    """Of its scheduler, e.g. `tcp://10.0.0.5:8786`."""


class Profile(FrozenModel):
    """One file of `infra/profiles/`."""

    store: str = "data/lake"
    """Any fsspec url or a local folder. Keys and endpoints (`AWS_ENDPOINT_URL`) come from the environment."""
    roles: dict[str, EngineSpec] = Field(default_factory=dict)
    """Which engine plays which role, e.g. `solver`; several roles may share one model."""
    cluster: LocalCluster | RemoteCluster = Field(default_factory=LocalCluster, discriminator="kind")
