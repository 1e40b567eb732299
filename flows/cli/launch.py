"""Starts a recipe from the command line. Prefect and Dask start only if the lake lacks something that it asks for."""

import contextlib
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flows.cli.prefect_server import is_own_server
from flows.report import storage
from flows.run import dry_run
from flows.run.history import format_funnel
from flows.run.options import load_active_profile
from flows.run.recipe_flow import is_recipe
from flows.run.timings import TIMINGS
from infra.lake import input_files
from infra.lake.dry_store import WorkOwed
from infra.lake.lake_format import check_format
from infra.lake.store import open_store
from schemas.errors import BadInput, QuestmillError
from schemas.input import Source
from schemas.profile import LocalCluster
from schemas.receipts import Manifest

SMALL_INPUT_BYTES = 8_000_000
"""Size of the input up to which a run is expected to reach its gate soon after its start."""
EXTRA_OF_PACKAGE = {"torch": "train", "transformers": "train", "trl": "train", "ctranslate2": "embedded"}
"""Packages that only some recipes need, with the extra that installs them."""


def load_recipe(name: str) -> tuple[Any, type[BaseModel]]:
    """Return the flow of a recipe, and the class of its parameter; raises `BadInput` if a package is missing."""
    try:
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_OF_PACKAGE:
            raise
        extra = EXTRA_OF_PACKAGE[error.name]
        raise BadInput(
            f"recipe {name!r} needs {error.name}; install the extra: pip install 'questmill[{extra}]'"
        ) from error
    return flow, inspect.signature(flow.fn).parameters["recipe"].annotation


def run_recipe(flow: Any, recipe: BaseModel, on_start: Callable[[], None]) -> int:
    """Check store and input, run the recipe, and print what was published. Returns the exit code.

    If the lake holds all that the recipe asks for, nothing is started. Otherwise `on_start` is called before the flow
    runs.
    """
    profile = load_active_profile()
    store = open_store(profile.store)
    if store.is_memory and not (isinstance(profile.cluster, LocalCluster) and not profile.cluster.processes):
        raise BadInput(f"store {store.url} exists in this process only, but the cluster has others; use --profile ci")
    store.check()
    check_format(store)
    if isinstance(recipe, Source):
        input_files.resolve_globs(recipe)
    manifest, is_found = None, False
    if is_recipe(flow) and store.has_receipts():
        with contextlib.suppress(WorkOwed), TIMINGS.measure("look-up of what is done"):
            manifest, is_found = dry_run.find_result(flow, recipe, store.url), True
    if not is_found:
        on_start()
        with _open_cluster_ahead(recipe) if is_recipe(flow) else contextlib.nullcontext():
            manifest = _run_flow(flow, recipe)
    if not isinstance(manifest, Manifest):
        print(manifest)
        return 0
    print(format_funnel(manifest.ledger))
    print(f"published {manifest.dataset} {manifest.version}: {manifest.rows:,} rows, content {manifest.content}")
    print(f"lake {store.url}, gate report {manifest.report}")
    if store.read(storage.report_path(manifest)) is not None:
        print(f"report {store.locate(storage.report_path(manifest))}")
    return 0


def _open_cluster_ahead(recipe: BaseModel) -> contextlib.AbstractContextManager[None]:
    """Import Dask and Prefect, and begin to open the cluster for the recipe's flow."""
    with TIMINGS.measure("imports of Dask and Prefect"):
        from flows.run.dask_runner import open_cluster_ahead
    paths = [Path(url) for url in input_files.resolve_globs(recipe)] if isinstance(recipe, Source) else []
    is_small = all(path.is_file() for path in paths) and sum(path.stat().st_size for path in paths) <= SMALL_INPUT_BYTES
    return open_cluster_ahead(gate_is_near=bool(paths) and is_small)


def _run_flow(flow: Any, recipe: BaseModel) -> Any:
    """Run the recipe as a flow of Prefect's; returns its result."""
    import distributed
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    # Nobody watches for heartbeats at a server that ends with the run, and a flow waits for them for up to 1 s.
    settings = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None} if is_own_server() else {}
    TIMINGS.begin("server, start of the flow")
    try:
        with temporary_settings(settings):
            return flow(recipe)
    except distributed.KilledWorker as error:
        raise QuestmillError(
            f"task {error.task} ended every worker that tried it ({error.last_worker.name} the last): out of memory? "
            "Give workers more (cluster.memory_limit in the profile) or shards fewer rows (--shard_rows)"
        ) from error
    finally:
        TIMINGS.end("end of the flow")
