"""The operations that recipes are written with: `seed`, `map`, `merge`, `train`, `gate` and `publish`.

`map` never waits: shard 7 may be judged while the model still answers shard 9. `seed`, `merge`, `train`, `gate` and
`publish` are barriers, and each is visible in the recipe. Tasks exchange receipts, never rows.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.exceptions import UnfinishedRun
from prefect.logging import get_logger, get_run_logger

from flows.report import storage
from flows.run.dask_runner import (
    EMPTY_ROWS_TASK,
    GATE_TASK,
    MERGE_TASK,
    PUBLISH_TASK,
    SCAN_TASK,
    SEED_TASK,
    SHARD_TASK,
    SUMMARY_TASK,
    TRAIN_TASK,
    DaskRunner,
    dask_runner,
    io_bound,
)
from flows.run.history import RunRecord, format_funnel, pinned_manifest, receipts_of_published
from flows.run.options import load_active_budget, load_active_profile, load_code_policy
from flows.run.progress import Progress, finished_result
from flows.run.roles import Roles
from flows.run.table import Future, Table
from infra import engines
from infra.cluster import budget
from infra.lake import input_files, model_store
from infra.lake.lake_format import mark_format
from infra.lake.ledger import count_step, describe_cut_off, describe_earlier_work, find_upstream
from infra.lake.store import open_store
from schemas.budget import Account
from schemas.errors import BadInput, BudgetSpent, GateFailed, QuestmillError
from schemas.identity import FrozenModel, fingerprint
from schemas.input import Source
from schemas.profile import Profile
from schemas.receipts import Manifest, Receipt
from schemas.steps import Expectation, Merge, Stage, Step, TrainingStep
from schemas.tables import attempts

__all__ = ["Run", "Table", "dask_runner"]


class Run:
    """One run of one recipe."""

    def __init__(self, recipe: FrozenModel, profile: Profile) -> None:
        """Recipes call `open` instead."""
        self.recipe = recipe
        self.store = open_store(profile.store)
        self.roles = Roles(profile, self.store.url)
        self.id = fingerprint(type(recipe).__name__, recipe)[:12]
        self.tables: list[Table] = []
        self.gate_reports: dict[str, str] = {}
        """Paths of the gates' reports in the lake, by suite."""
        self.code_policy = load_code_policy()
        self.noted_receipts: set[str] = set()
        """Keys of receipts whose earlier work has been reported."""
        self.counted_receipts: set[str] = set()
        """Keys of receipts whose samples have been checked for those cut off."""
        self.warnings: list[str] = []
        self.progress = Progress(self.id)
        self.record = RunRecord(self.store, self.id)
        before = budget.load_earlier_usage(self.store, self.id)
        self.account = Account(run=self.id, start_id=self.record.path, budget=load_active_budget(), spent_before=before)

    @classmethod
    def open(cls, recipe: FrozenModel) -> "Run":
        """Open a run on the active profile. The same recipe is the same run: finished work is not repeated.

        Raises `BadInput` if a stage of the recipe needs a role that the profile does not offer, or if a step to redo
        does not exist.
        """
        check_labels(load_code_policy().redo)
        run = cls(recipe, load_active_profile())
        context = FlowRunContext.get()
        if context is not None and isinstance(context.task_runner, DaskRunner):
            context.task_runner.progress = run.progress
        run.require_roles(*(field for _, field in recipe if isinstance(field, Stage)))
        return run

    def require_roles(self, *steps: Stage | TrainingStep) -> None:
        """Raises `BadInput` if one of `steps` needs a role that the profile lacks or that cannot be trained."""
        self.roles.require_roles(*steps)

    def require_trainable(self, *roles: str) -> None:
        """Raises `BadInput` if the engine of one of `roles` could not load a model that is trained here."""
        self.roles.require_trainable(*roles)

    def seed(self, source: Source, reserved: list[str]) -> Table:
        """Read files into shards of attempts. Every file is checked completely before the first row is written.

        `reserved` names columns that later steps add; an input column of such a name is renamed to `input_<name>`.
        """
        urls = input_files.resolve_globs(source)
        self.progress.print_line(f"{'read':<18} {len(urls):,} {'file' if len(urls) == 1 else 'files'}")
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
        """Make blank rows, the start of a recipe that reads no input. Their ids begin with `id_prefix`."""
        self.record_start()
        return self._finish("empty_rows", [EMPTY_ROWS_TASK.submit(rows, shard_rows, self.store.url, id_prefix)], rows)

    def union(self, *tables: Table) -> Table:
        """Return the rows of several tables of the same columns as one table, without waiting or copying."""
        return Table(tables[0].step, [shard for table in tables for shard in table.shards], sum(t.rows for t in tables))

    def require_dataset(self, dataset: str, *columns: str) -> Table:
        """Like `find_dataset`, but raises `BadInput` if nothing was published or one of `columns` is missing."""
        if (
            self.store.datasets.current_version(dataset) is None
            or (table := self.find_dataset(dataset, *columns)) is None
        ):
            raise BadInput(f"no dataset {dataset!r} is published; publish it first, or name another one")
        return table

    def find_dataset(self, dataset: str, *columns: str) -> Table | None:
        """Return the rows of a published dataset, in the version that was current when this run was first started.

        Returns None if nothing was published then. Raises `BadInput` if the dataset lacks one of `columns`.
        """
        if (manifest := pinned_manifest(self.store, self.id, dataset)) is None:
            self.progress.print_line(f"nothing is published as {dataset} yet")
            return None
        receipts = receipts_of_published(self.store, manifest)
        column_names = self.store.read_schema(receipts[0].parts[0]).names
        if missing := [name for name in columns if name not in column_names]:
            raise BadInput(f"dataset {dataset!r} has no column {missing[0]!r}; it has {', '.join(column_names)}")
        self.record_start()
        return Table.from_receipts(f"published {dataset}", receipts)

    def map(self, stage: Stage, table: Table) -> Table:
        """Apply `stage` to every shard of `table`. Returns at once, without waiting for the results."""
        submit = SHARD_TASK.with_options(task_run_name=stage.label).submit
        spec = self.roles.find_engine(stage)
        futures: list[Future] = []
        self.progress.add_step(stage.label, table.rows, futures, len(table.shards))
        with io_bound(spec is not None and engines.is_io_bound(spec)):
            for receipt, index in table.shards:
                futures.append(
                    submit(stage, spec, cast(Receipt, receipt), index, self.store.url, self.account, self.code_policy)
                )
        return self._register(Table(stage.label, [(future, 0) for future in futures], table.rows))

    def merge(self, merge: Merge, *tables: Table, shard_rows: int = 4096) -> Table:
        """Wait for `tables`, merge all of their rows, and cut the result into shards of `shard_rows` rows."""
        receipts = [self._wait_for_receipts(table) for table in tables]
        future = MERGE_TASK.with_options(task_run_name=merge.label).submit(
            merge, receipts, shard_rows, self.store.url, self.code_policy
        )
        return self._finish(merge.label, [future], tables[0].rows)

    def train(self, step: TrainingStep, *tables: Table) -> Receipt:
        """Wait for `tables`, then train the model of the step's role on them. The receipt names the trained model.

        Raises `QuestmillError` before the training starts if a table has no row to train on.
        """
        spec = self.roles.find_base_engine(step)
        receipts = [self._wait_for_receipts(table) for table in tables]
        for name, table, table_receipts in zip(step.inputs, tables, receipts, strict=True):
            rows = sum(part.rows for receipt in table_receipts for part in receipt.parts)
            if rows <= (held_out := step.count_held_out(rows)):
                raise QuestmillError(self._explain_no_training(step, name, table, rows, held_out))
        future = TRAIN_TASK.with_options(task_run_name=step.label).submit(
            step, spec, receipts, self.store.url, self.code_policy
        )
        self.progress.add_step(step.label, tables[0].rows, [future], 1)
        receipt = self._wait_for_receipt(future)
        self._note_earlier_work([receipt])
        return receipt

    def _explain_no_training(self, step: TrainingStep, name: str, table: Table, rows: int, held_out: int) -> str:
        """Say that a table has no rows to train on, and which step kept none of its rows."""
        if rows:
            return (
                f"{step.label} has no {name} to train on: there are {rows:,}, and held_out keeps back {held_out:,}; "
                "lower held_out or give more"
            )
        lost = [
            f"{count['step']} kept none of {count['rows_in']:,} rows"
            for count in self._count_steps(table)
            if count["rows_in"] > count["kept"] == 0
        ]
        return (
            f"{step.label} has no {name} to train on: {lost[0] if lost else f'{table.step} gave no rows'}; "
            "the views rejects and quarantine hold the reasons and what the model wrote"
        )

    def export_model(self, trained: Receipt, folder: Path) -> None:
        """Copy a trained model from the lake to `folder`."""
        model_store.download(trained, self.store.url, folder)
        self.progress.print_line(f"{trained.step} is kept in {folder}")

    @contextmanager
    def with_models(self, **trained: Receipt) -> Iterator[None]:
        """Let trained models play roles: `with run.with_models(questioner=trained): run.map(...)`."""
        with self.roles.with_models(**trained):
            yield

    def gate(self, suite: str, expectations: list[Expectation], table: Table) -> Table:
        """Check all rows of `table` and report warnings; raises `GateFailed` if a critical expectation fails.

        `suite` is the name of the dataset under which the table will be published.
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
            state = f"stopped by gate {suite}"
            self.record.record_event("ended", {"state": state, "dataset": suite, "ledger": self._count_steps(table)})
            lost = "" if suite in self.store.datasets.names() else "the view funnel shows where rows were lost, "
            raise GateFailed(
                f"gate {suite!r} stopped the run: {'; '.join(failed)}; nothing was published, "
                f"{lost}the report is {self.store.locate(report)}"
            )
        return table

    def _count_steps(self, table: Table) -> list[dict[str, Any]]:
        """The funnel of the steps that the rows of `table` come from; reports those whose samples were cut off."""
        finished = [self._finished_receipts(each) for each in self.tables if each is not table]
        steps = find_upstream([*filter(None, finished), self._wait_for_receipts(table)])
        for step in steps:
            self._note_cut_off(step)
        return [count_step(step).model_dump(mode="json") for step in steps]

    def publish(self, dataset: str, table: Table) -> Manifest:
        """Check the ledger and publish the rows of `table` as the current version of `dataset`.

        A run may publish several datasets. The ledger of each contains only the steps that its rows come from.
        """
        steps = [self._wait_for_receipts(t) for t in self.tables if t is not table] + [self._wait_for_receipts(table)]
        future = PUBLISH_TASK.with_options(task_run_name=f"publish {dataset}").submit(
            dataset, steps, self.recipe.model_dump(mode="json"), self.gate_reports.get(dataset), self.store.url
        )
        manifest: Manifest = future.result()
        create_markdown_artifact(key=f"funnel-{dataset}".replace("_", "-"), markdown=format_funnel(manifest.ledger))
        state = f"published {manifest.dataset} {manifest.version}"
        self.record.record_event(
            f"published-{dataset}",
            {"state": state, "version": manifest.version, "report": manifest.report, "warnings": self.warnings},
        )
        self._save_report(manifest)
        return manifest

    def _save_report(self, manifest: Manifest) -> None:
        """Store the report of a published version. A report that fails does not undo the publication."""
        name = manifest.dataset.replace("_", "-")
        future = SUMMARY_TASK.with_options(task_run_name=f"report {name}").submit(manifest, self.store.url)
        try:
            markdown = storage.save_report(self.store, future.result())
        except QuestmillError as error:
            self.progress.print_line(f"no report of {manifest.dataset}: {error}")
            return
        create_markdown_artifact(key=f"report-{name}", markdown=markdown)

    def _finish(self, step: str, futures: list[Future], rows: int) -> Table:
        """Wait for a step whose number of parts is not known beforehand, and make a shard of each part."""
        self.progress.add_step(step, rows, futures, len(futures))
        receipts = [self._wait_for_receipt(future) for future in futures]
        shards: list[tuple[Receipt | Future, int]] = [(r, i) for r in receipts for i in range(len(r.parts))]
        return self._register(Table(step, shards, sum(p.rows for r in receipts for p in r.parts)))

    def _wait_for_receipts(self, table: Table) -> list[Receipt]:
        """Wait for every receipt of `table`; return each once, in order."""
        receipts = {
            id(shard): shard if isinstance(shard, Receipt) else self._wait_for_receipt(shard)
            for shard, _ in table.shards
        }
        self._note_earlier_work(list(receipts.values()))
        own = [
            shard for shard, _ in table.shards if not isinstance(shard, Receipt)
        ]  # the others may be of earlier runs
        self._note_cut_off([receipts[id(shard)] for shard in dict.fromkeys(own)])
        return list(receipts.values())

    def _finished_receipts(self, table: Table) -> list[Receipt]:
        """Every receipt of `table`, each once and in order; empty while one of its shards is not done."""
        results = {
            id(shard): shard if isinstance(shard, Receipt) else finished_result(shard) for shard, _ in table.shards
        }
        receipts = [result for result in results.values() if isinstance(result, Receipt)]
        return receipts if len(receipts) == len(results) else []

    def _note_earlier_work(self, receipts: list[Receipt]) -> None:
        """Report once for each step that it uses rows produced by other code, or that it is redone."""
        if {receipt.key for receipt in receipts} & self.noted_receipts:
            return
        self.noted_receipts |= {receipt.key for receipt in receipts if receipt.earlier_work}
        for what, line in describe_earlier_work(receipts).items():
            self._report(line, f"{what}-{receipts[0].step}", is_warning=what == "used")

    def _note_cut_off(self, receipts: list[Receipt]) -> None:
        """Report once for each step that many of its samples were cut off."""
        for step in dict.fromkeys(receipt.step for receipt in receipts):
            group = [receipt for receipt in receipts if receipt.step == step]
            if {receipt.key for receipt in group} <= self.counted_receipts:
                continue
            self.counted_receipts |= {receipt.key for receipt in group}
            if (line := describe_cut_off(group)) is not None:
                self._report(line, f"cut-off-{step}", is_warning=True)

    def _report(self, line: str, key: str, is_warning: bool) -> None:
        """Report one line on the terminal, in the log and as an artifact; warnings also in the record of the run."""
        self.warnings += [line] if is_warning else []
        self.progress.print_line(f"warning: {line}" if is_warning else line)
        logger = get_run_logger() if FlowRunContext.get() is not None else get_logger()
        logger.warning(line)
        create_markdown_artifact(key=key.replace("_", "-"), markdown=line)

    def _wait_for_receipt(self, future: Future) -> Receipt:
        """Wait for one receipt. If it failed because another task did, raise that task's error, our own errors first.

        When the budget is spent, requests in flight still finish: they are already paid for.
        """
        try:
            return future.result()
        except Exception as error:
            errors = [e for e in self.progress.errors(Exception) if not isinstance(e, UnfinishedRun)]
            cause = next((e for e in errors if isinstance(e, QuestmillError)), errors[0] if errors else error)
            if not isinstance(cause, BudgetSpent):
                raise cause from error
            self.progress.wait()
            self.record.record_event("ended", {"state": "stopped: the budget is spent"})
            raise BudgetSpent(
                f"the budget is spent ({budget.load_earlier_usage(self.store, self.id)}); finished shards are "
                f"committed, left to do: {self.progress.remaining()}; the same command with a higher budget continues"
            ) from error

    def record_start(self) -> None:
        """Record the start, after the input was checked. Raises `BadInput` if the lake has another format."""
        mark_format(self.store)
        context = FlowRunContext.get()
        name = context.flow.name if context is not None and context.flow is not None else type(self.recipe).__name__
        self.record.record_event("started", {"recipe": name, "parameters": self.recipe.model_dump(mode="json")})

    def _register(self, table: Table) -> Table:
        self.tables.append(table)
        return table


def check_labels(labels: Iterable[str]) -> None:
    """Raises `BadInput` if one of `labels` is not the label of a step of the program or the recipe."""
    known, waiting = set[str](), [Step]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        known |= {kind.label for kind in subclasses if not kind.__module__.startswith("schemas.")}
        waiting += subclasses
    for label in labels:
        if label not in known:
            raise BadInput(
                f"step {label!r} cannot be redone, because it does not exist; there are: {', '.join(sorted(known))}"
            )
