"""The words a recipe is written in: seed, map, merge, gate, publish. All of Prefect and Dask is used here.

`map` never waits: shard 7 may be judged while shard 9 is still being asked. `seed`, `merge`, `gate` and `publish`
are the only barriers, and each is a word in the recipe. Tasks exchange receipts, never rows.
"""

import datetime
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import dask
from prefect import Task, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.exceptions import UnfinishedRun
from prefect.futures import PrefectFuture
from prefect_dask import DaskTaskRunner

from flows.report import storage
from flows.run.progress import Progress
from infra import engines, gates
from infra.cluster import budget, dask_cluster, profiles, train_worker, worker
from infra.lake import input_files, model_store, publish
from infra.lake.lake_format import mark_format
from infra.lake.store import Store, open_store
from infra.report_data import dataset_summary
from schemas.budget import Account, Budget
from schemas.engine_specs import EngineSpec
from schemas.errors import BadInput, BudgetSpent, GateFailed, QuestmillError
from schemas.identity import FrozenModel, fingerprint
from schemas.input import Source
from schemas.profile import Profile
from schemas.receipts import Manifest, Receipt, StepCount
from schemas.steps import Expectation, Merge, Stage, TrainingStep
from schemas.tables import attempts

Future = PrefectFuture[Receipt]


def load_active_budget() -> Budget:
    """The budget in `QUESTMILL_BUDGET_TOKENS`, `QUESTMILL_BUDGET_USD` and `QUESTMILL_BUDGET_GPU_HOURS`."""
    given = {name: os.environ.get(f"QUESTMILL_BUDGET_{name.upper()}") for name in Budget.model_fields}
    return Budget.model_validate_strings({name: value for name, value in given.items() if value})


def load_active_profile() -> Profile:
    """The profile that `QUESTMILL_PROFILE` names (default `local`), with the store of `QUESTMILL_STORE`."""
    return profiles.load_profile(os.environ.get("QUESTMILL_PROFILE", "local"), os.environ.get("QUESTMILL_STORE"))


@contextmanager
def _open_cluster() -> Iterator[Any]:
    with dask_cluster.open_cluster(load_active_profile(), preload=(__name__,)) as address:
        yield address


class DaskRunner(DaskTaskRunner):
    """Dask for the length of one flow; however the flow ends, the display of its run ends with it."""

    progress: Progress | None = None
    resources: frozenset[str] | None = None

    def __exit__(self, *error: Any) -> None:
        if self.progress is not None:  # Prefect also enters a copy of this in every task
            self.progress.close()
            engines.unload()  # of this process, where the workers are threads of it
            budget.close_trackers()
        super().__exit__(*error)

    def submit(self, task: Any, *arguments: Any, **options: Any) -> Any:
        """Submit one task; it takes a core of its worker, unless the stage only waits for a server."""
        if self.resources is None:
            self.client.run_on_scheduler(budget.register_usage_handler)
            self.resources = frozenset(dask_cluster.list_resources(self.client))
            if self.progress is not None and (hazard := dask_cluster.hazard(self.client)):
                self.progress.print_line(f"warning: {hazard}")
        needed = dask_cluster.ASK_RESOURCE if _io_bound.get() else dask_cluster.COMPUTE_RESOURCE
        with dask.annotate(**({"resources": {needed: 1}} if needed in self.resources else {})):
            return super().submit(task, *arguments, **options)


_io_bound: ContextVar[bool] = ContextVar("waiting", default=False)

dask_runner = DaskRunner(cluster_class=_open_cluster)
"""Task runner of every recipe. The cluster is that of the active profile; it opens when the flow runs."""

P = ParamSpec("P")
R = TypeVar("R")


def _make_task(function: Callable[P, R]) -> Task[P, R]:
    """`task(f)`, not `@task def f`: only so does Dask pickle the function by reference, and a worker keep one engine.

    Receipts are the only cache: Prefect's would outlive a lake that was deleted.
    """
    name = function.__name__.removeprefix("run_")
    return task(name=name, cache_policy=NO_CACHE, persist_result=False)(function)


SCAN_TASK = _make_task(worker.check_source)
SEED_TASK = _make_task(worker.run_seed)
EMPTY_ROWS_TASK = _make_task(worker.run_empty_rows)
SHARD_TASK = _make_task(worker.run_shard)
MERGE_TASK = _make_task(worker.run_merge)
TRAIN_TASK = _make_task(train_worker.run_train)
GATE_TASK = _make_task(gates.run_gate)
PUBLISH_TASK = _make_task(publish.run_publish)
SUMMARY_TASK = _make_task(dataset_summary.run_summary)


@dataclass(frozen=True)
class Table:
    """The shards that a step has made or will make: for each a receipt, or its future, and the part's number."""

    step: str
    shards: list[tuple[Receipt | Future, int]]
    rows: int
    """Rows known or expected; exact for a table that is made."""

    @classmethod
    def from_receipts(cls, step: str, receipts: list[Receipt]) -> "Table":
        """What these receipts hold."""
        rows = sum(part.rows for receipt in receipts for part in receipt.parts)
        return cls(step, [(receipt, index) for receipt in receipts for index in range(len(receipt.parts))], rows)


class Run:
    """One run of one recipe."""

    def __init__(self, recipe: FrozenModel, profile: Profile) -> None:
        """See `open`."""
        self.recipe = recipe
        self.profile, self.store = profile, open_store(profile.store)
        self.id = fingerprint(type(recipe).__name__, recipe)[:12]
        self.tables: list[Table] = []
        self.trained_roles: dict[str, EngineSpec] = {}
        self.gate_reports: dict[str, str] = {}
        """Of the gates that were passed, by suite."""
        self.progress = Progress(self.id)
        self.record_path = f"runs/{self.id}/{_utc_now():%Y%m%dT%H%M%S.%f}"
        before = budget.load_earlier_usage(self.store, self.id)
        self.account = Account(run=self.id, start_id=self.record_path, budget=load_active_budget(), spent_before=before)

    @classmethod
    def open(cls, recipe: FrozenModel) -> "Run":
        """A run on the active profile. The same recipe is the same run: what it did before is not done again.

        Raises `BadInput` where a stage of the recipe wants a role that the profile does not offer.
        """
        run = cls(recipe, load_active_profile())
        context = FlowRunContext.get()
        if context is not None and isinstance(context.task_runner, DaskRunner):
            context.task_runner.progress = run.progress
        run.require_roles(*(field for _, field in recipe if isinstance(field, Stage)))
        return run

    def require_roles(self, *steps: Stage | TrainingStep) -> None:
        """Raises `BadInput` where one of `steps` wants a role that the profile does not offer, or cannot be trained."""
        for step in steps:
            self._find_engine(step) if isinstance(step, Stage) else self._find_base_engine(step)

    def require_trainable(self, *roles: str) -> None:
        """Raises `BadInput` where the engine that plays one of `roles` could not load a model that is trained here."""
        for role in roles:
            try:
                model_store.format_of(self._spec_of_role(role))
            except ValueError as error:
                raise BadInput(f"role {role!r}: {error}") from error

    def seed(self, source: Source, reserved: list[str]) -> Table:
        """Read files into shards of attempts; every file is checked to its end before the first row is written.

        `reserved`: names of columns that later steps add; an input column of that name is kept as `input_<name>`.
        """
        urls = input_files.resolve_globs(source)
        self.progress.print_line(f"{'read':<14} {len(urls):,} {'file' if len(urls) == 1 else 'files'}")
        scans = [SCAN_TASK.submit(url, source) for url in urls]
        files = [scan.result() for scan in scans]
        types = input_files.merge_types(files)
        self.record_start()
        copies = [sum(f.digest == file.digest for f in files[:i]) for i, file in enumerate(files)]
        futures = [
            SEED_TASK.submit(file, types, copy, source, [*attempts.SCHEMA.names, *reserved], self.store.url)
            for file, copy in sorted(zip(files, copies, strict=True), key=lambda pair: (pair[0].digest, pair[1]))
        ]
        return self._finish("seed", futures, sum(file.rows for file in files))

    def empty_rows(self, rows: int, shard_rows: int, id_prefix: str = "") -> Table:
        """Blank rows: what a recipe that makes something from nothing starts from. Their ids begin with `id_prefix`."""
        self.record_start()
        return self._finish("empty_rows", [EMPTY_ROWS_TASK.submit(rows, shard_rows, self.store.url, id_prefix)], rows)

    def union(self, *tables: Table) -> Table:
        """The rows of several tables of one shape as one; nothing is worked and nothing waited for."""
        return Table(tables[0].step, [shard for table in tables for shard in table.shards], sum(t.rows for t in tables))

    def require_dataset(self, dataset: str, *columns: str) -> Table:
        """As `find_dataset`, of a dataset that must be there with these columns; raises `BadInput` where it is not."""
        if (
            self.store.datasets.current_version(dataset) is None
            or (table := self.find_dataset(dataset, *columns)) is None
        ):
            raise BadInput(f"no dataset {dataset!r} is published; publish it first, or name another one")
        return table

    def find_dataset(self, dataset: str, *columns: str) -> Table | None:
        """The rows of a published dataset, in the version that was current when this run was first started.

        None where nothing was published then. Raises `BadInput` where it lacks one of `columns`. The version is written
        down: a run that goes on, or is started again after it has itself published, sees what it saw at first, else it
        would find its own rows there.
        """
        pin = f"pins/{self.id}/{dataset}"
        self.store.write(pin, (self.store.datasets.current_version(dataset) or "none").encode())
        version = (self.store.read(pin) or b"").decode()
        if version == "none":
            self.progress.print_line(f"nothing is published as {dataset} yet")
            return None
        if (manifest := self.store.datasets.read_manifest(dataset, version)) is None:
            raise QuestmillError(f"dataset {dataset!r} has no version {version} any more; restore it, or delete {pin}")
        receipts = receipts_of_published(self.store, manifest)
        column_names = self.store.read_schema(receipts[0].parts[0]).names
        if missing := [name for name in columns if name not in column_names]:
            raise BadInput(f"dataset {dataset!r} has no column {missing[0]!r}; it has {', '.join(column_names)}")
        self.record_start()
        return Table.from_receipts(f"published {dataset}", receipts)

    def map(self, stage: Stage, table: Table) -> Table:
        """Work every shard of `table` by `stage`; returns at once."""
        submit = SHARD_TASK.with_options(task_run_name=stage.label).submit
        spec = self._find_engine(stage)
        futures: list[Future] = []
        self.progress.add_step(stage.label, table.rows, futures, len(table.shards))
        token = _io_bound.set(spec is not None and engines.is_io_bound(spec))
        for receipt, index in table.shards:
            futures.append(submit(stage, spec, cast(Receipt, receipt), index, self.store.url, self.account))
        _io_bound.reset(token)
        return self._register(Table(stage.label, [(future, 0) for future in futures], table.rows))

    def merge(self, merge: Merge, *tables: Table, shard_rows: int = 4096) -> Table:
        """Wait for `tables`, run the merge over all of their rows, and cut the result into shards."""
        receipts = [self._wait_for_receipts(table) for table in tables]
        future = MERGE_TASK.with_options(task_run_name=merge.label).submit(merge, receipts, shard_rows, self.store.url)
        return self._finish(merge.label, [future], tables[0].rows)

    def train(self, step: TrainingStep, *tables: Table) -> Receipt:
        """Wait for `tables` and train on them, from the model of the step's role; the receipt names the new one."""
        spec = self._find_base_engine(step)
        receipts = [self._wait_for_receipts(table) for table in tables]
        future = TRAIN_TASK.with_options(task_run_name=step.label).submit(step, spec, receipts, self.store.url)
        self.progress.add_step(step.label, tables[0].rows, [future], 1)
        return self._wait_for_receipt(future)

    def export_model(self, trained: Receipt, folder: Path) -> None:
        """Copy a trained model out of the lake."""
        model_store.download(trained, self.store.url, folder)
        self.progress.print_line(f"{trained.step} is kept in {folder}")

    @contextmanager
    def with_models(self, **trained: Receipt) -> Iterator[None]:
        """Inside, models that were trained play roles: `with run.using(questioner=trained): run.map(...)`."""
        before = self.trained_roles
        self.trained_roles = before | {role: self._spec_of_trained(role, receipt) for role, receipt in trained.items()}
        try:
            yield
        finally:
            self.trained_roles = before

    def gate(self, suite: str, expectations: list[Expectation], table: Table) -> Table:
        """Check the whole of `table`; raises `GateFailed` where a critical expectation fails, and reports warnings.

        `suite` is the name of the dataset that the table is to be published as.
        """
        future = GATE_TASK.with_options(task_run_name=f"gate {suite}").submit(
            suite, expectations, self._wait_for_receipts(table), self.store.url
        )
        self.progress.add_step("gate", table.rows, [future], 1)
        receipt = self._wait_for_receipt(future)
        report = self.gate_reports[suite] = receipt.details["report"]
        create_markdown_artifact(
            key=f"gate-{suite}".replace("_", "-"), markdown=(self.store.read(report) or b"").decode()
        )
        for line in filter(None, receipt.details["warned"].splitlines()):
            self.progress.print_line(f"warning: {line}")
        if failed := receipt.details["failed"].splitlines():
            self._record_event("ended", {"state": f"stopped by gate {suite}"})
            raise GateFailed(
                f"gate {suite!r} stopped the run: {'; '.join(failed)}; nothing was published, "
                f"the report is {self.store.locate(report)}"
            )
        return table

    def publish(self, dataset: str, table: Table) -> Manifest:
        """Check the ledger and publish the rows of `table` as the current version of `dataset`.

        A run may publish several; each stands on the steps that its rows come from.
        """
        steps = [self._wait_for_receipts(t) for t in self.tables if t is not table] + [self._wait_for_receipts(table)]
        future = PUBLISH_TASK.with_options(task_run_name=f"publish {dataset}").submit(
            dataset, steps, self.recipe.model_dump(mode="json"), self.gate_reports.get(dataset), self.store.url
        )
        manifest: Manifest = future.result()
        create_markdown_artifact(key=f"funnel-{dataset}".replace("_", "-"), markdown=format_funnel(manifest.ledger))
        state = f"published {manifest.dataset} {manifest.version}"
        self._record_event(
            f"published-{dataset}", {"state": state, "version": manifest.version, "report": manifest.report}
        )
        self._save_report(manifest)
        return manifest

    def _save_report(self, manifest: Manifest) -> None:
        """Keep the report of what was published. One that cannot be made does not undo the publication."""
        name = manifest.dataset.replace("_", "-")
        future = SUMMARY_TASK.with_options(task_run_name=f"report {name}").submit(manifest, self.store.url)
        try:
            markdown = storage.save_report(self.store, future.result())
        except QuestmillError as error:
            self.progress.print_line(f"no report of {manifest.dataset}: {error}")
            return
        create_markdown_artifact(key=f"report-{name}", markdown=markdown)

    def _find_engine(self, stage: Stage | TrainingStep) -> EngineSpec | None:
        """The engine that plays the stage's role, its model named by content; raises `BadInput` where none does."""
        if stage.role is None:
            return None
        if stage.role in self.trained_roles:
            return self.trained_roles[stage.role]
        if (spec := self.profile.roles.get(stage.role)) is None:
            offered = ", ".join(sorted(self.profile.roles)) or "none"
            raise BadInput(f"stage {stage.label} needs the role {stage.role!r}; the profile offers: {offered}")
        try:
            return engines.pin_model(spec)
        except ValueError as error:
            raise BadInput(f"role {stage.role!r}: {error}") from error

    def _find_base_engine(self, step: TrainingStep) -> EngineSpec:
        """The engine whose model `step` starts from; raises `BadInput` where it has no weights."""
        spec = self._find_engine(step)
        if spec is None:
            raise BadInput(f"training {step.label} starts from no model; give it the role of one, e.g. role='solver'")
        try:
            model_store.check_base(spec)
        except ValueError as error:
            raise BadInput(f"role {step.role!r}: {error}") from error
        return spec

    def _spec_of_trained(self, role: str, trained: Receipt) -> EngineSpec:
        """The engine of `role` with a trained model; raises `BadInput` where there is none that could load it."""
        try:
            return model_store.spec_for_trained(trained, self._spec_of_role(role), self.store.url)
        except ValueError as error:
            raise BadInput(f"role {role!r}: {error}") from error

    def _spec_of_role(self, role: str) -> EngineSpec:
        """The engine that the profile names for `role`; raises `BadInput` where it names none."""
        if (spec := self.profile.roles.get(role)) is None:
            raise BadInput(f"nothing plays the role {role!r}; name an engine for it in the profile")
        return spec

    def _finish(self, step: str, futures: list[Future], rows: int) -> Table:
        """Wait for a step that makes any number of parts, and turn them into shards."""
        self.progress.add_step(step, rows, futures, len(futures))
        receipts = [self._wait_for_receipt(future) for future in futures]
        shards: list[tuple[Receipt | Future, int]] = [(r, i) for r in receipts for i in range(len(r.parts))]
        return self._register(Table(step, shards, sum(p.rows for r in receipts for p in r.parts)))

    def _wait_for_receipts(self, table: Table) -> list[Receipt]:
        """Wait for every receipt of `table`, once each, in order."""
        receipts = {
            id(made): made if isinstance(made, Receipt) else self._wait_for_receipt(made) for made, _ in table.shards
        }
        return list(receipts.values())

    def _wait_for_receipt(self, future: Future) -> Receipt:
        """Wait for one receipt. Where it fails because another one did, that one's error is raised, one of ours first.

        A budget that is spent lets what is on its way arrive, for it is paid for.
        """
        try:
            return future.result()
        except Exception as error:
            errors = [e for e in self.progress.errors(Exception) if not isinstance(e, UnfinishedRun)]
            cause = next((e for e in errors if isinstance(e, QuestmillError)), errors[0] if errors else error)
            if not isinstance(cause, BudgetSpent):
                raise cause from error
            self.progress.wait()
            self._record_event("ended", {"state": "stopped: the budget is spent"})
            raise BudgetSpent(
                f"the budget is spent ({budget.load_earlier_usage(self.store, self.id)}); what is whole is committed, "
                f"owed: "
                f"{self.progress.remaining()}; the same command with a higher budget continues"
            ) from error

    def record_start(self) -> None:
        """Record the start, once the input is known to be good. Raises `BadInput` where the lake has another format."""
        mark_format(self.store)
        context = FlowRunContext.get()
        name = context.flow.name if context is not None and context.flow is not None else type(self.recipe).__name__
        self._record_event("started", {"recipe": name, "parameters": self.recipe.model_dump(mode="json")})

    def _record_event(self, event: str, facts: dict[str, Any]) -> None:
        """Record what became of this run, for `questmill status`; a run without an end was killed or failed."""
        text = json.dumps({"time": f"{_utc_now():%Y-%m-%d %H:%M:%S}", **facts}, indent=1)
        self.store.write(f"{self.record_path}/{event}.json", text.encode())

    def _register(self, table: Table) -> Table:
        self.tables.append(table)
        return table


def receipts_of_step(store: Store, manifest: Manifest, step: str) -> list[Receipt]:
    """The receipts of one step that a published version was made of; raises `QuestmillError` where one is gone."""
    return _receipts_of(store, manifest, [name for name in manifest.receipts if name.split("/")[0] == step])


def receipts_of_published(store: Store, manifest: Manifest) -> list[Receipt]:
    """The receipts that hold the rows of a published version; raises `QuestmillError` where one is gone."""
    return _receipts_of(store, manifest, manifest.rows_of)


def _receipts_of(store: Store, manifest: Manifest, names: Iterable[str]) -> list[Receipt]:
    receipts = []
    for name in names:
        if (receipt := store.read_receipt(*name.split("/"))) is None:
            raise QuestmillError(
                f"dataset {manifest.dataset!r}: receipt {name} is gone, and with it a part of its rows; "
                "restore it, or run its recipe again from the files"
            )
        receipts.append(receipt)
    return receipts


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def format_funnel(ledger: tuple[StepCount, ...]) -> str:
    """The funnel as a table for people."""
    lines = ["| step | rows in | kept | rejected | quarantined | seconds |", "|---|--:|--:|--:|--:|--:|"]
    for c in ledger:
        lines.append(
            f"| {c.step} | {c.rows_in:,} | {c.kept:,} | {sum(c.rejected.values()):,} "
            f"| {sum(c.quarantined.values()):,} | {c.seconds:,.1f} |"
        )
    return "\n".join(lines) + "\n"
