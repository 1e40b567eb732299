"""The operations that recipes are written with: `seed`, `map`, `merge`, `train`, `gate` and `publish`.

`map` never waits: shard 7 may be judged while the model still answers shard 9. `seed`, `merge`, `train`, `gate` and
`publish` are barriers, and each is visible in the recipe. Tasks exchange receipts, never rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from flows.report import storage
from flows.run.dry_run import active_dry_run
from flows.run.history import RunRecord, format_funnel, pinned_manifest, receipts_of_published
from flows.run.options import load_active_budget, load_active_profile, load_code_policy
from flows.run.roles import Roles
from flows.run.table import Table
from infra import engines, gates
from infra.cluster import budget, partitioning, train_worker, worker
from infra.cluster.partitioning import Partitioning
from infra.cluster.step_execution import StepExecution
from infra.lake import input_files, model_store, publish
from infra.lake.lake_format import mark_format
from infra.lake.ledger import SampleCount, count_step, describe_earlier_work, find_upstream
from infra.lake.store import open_store
from infra.report_data import dataset_summary
from schemas.budget import Account
from schemas.errors import BadInput, BudgetSpent, GateFailed, QuestmillError
from schemas.identity import FrozenModel, fingerprint
from schemas.input import Source
from schemas.profile import Profile
from schemas.receipts import Committed, Manifest, Receipt
from schemas.steps import Expectation, Merge, PartitionedMerge, Stage, Step, TrainingStep
from schemas.tables import attempts

__all__ = ["Run", "Table"]

FEW_ROWS = 2_000
"""Rows that a step without a model works in a second or two, so that a gate may be as near as that."""


class Display(Protocol):
    """Where the progress of a run is shown."""

    def add_step(self, step: StepExecution) -> None:
        """Show another step."""

    def print_line(self, text: str) -> None:
        """Print one line."""

    def remaining(self) -> str:
        """Describe the rows left to do."""


class Context(Protocol):
    """What executes the steps of a run: a flow of Prefect's, or a dry run."""

    recipe_name: str | None
    shows_artifacts: bool
    """Whether somebody sees the texts that are saved."""

    def open_progress(self, run: str) -> Display:
        """Open the display of the run."""

    def execute(self, step: StepExecution) -> None:
        """Begin a step. Returns at once; its results arrive in `step`."""

    def expect_gate(self) -> None:
        """Prepare for a gate, because one is near."""

    def wait_for_paid_work(self) -> None:
        """Wait until every step has ended that a spent budget lets end."""

    def save_artifact(self, key: str, markdown: str) -> None:
        """Show a text beside the run."""

    def warn(self, line: str) -> None:
        """Write one line to the log of the run."""


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
        self.counted_steps: set[StepExecution] = set()
        """Steps whose samples have been checked for those cut off."""
        self.warnings: list[str] = []
        self.context = _find_context()
        self.progress = self.context.open_progress(self.id)
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
        source = Source(**{name: getattr(source, name) for name in Source.model_fields})  # workers know no recipes
        urls = input_files.resolve_globs(source)
        self.progress.print_line(f"{'read':<18} {len(urls):,} {'file' if len(urls) == 1 else 'files'}")
        scan = StepExecution(
            "check input", worker.check_source, "url", urls, {"source": source, "lake": self.store.url}
        )
        self.context.execute(scan)
        files = input_files.number_copies(self._wait_for(scan))
        constants = {
            "types": input_files.merge_types(files),
            "source": source,
            "reserved_names": [*attempts.SCHEMA.names, *reserved],
            "lake": self.store.url,
        }
        self.record_start()
        files.sort(key=lambda file: (file.digest, file.copy_number))
        rows = sum(file.rows for file in files)
        return self._finish(StepExecution("seed", worker.run_seed, "file", files, constants, rows))

    def empty_rows(self, rows: int, shard_rows: int, id_prefix: str = "") -> Table:
        """Make blank rows, the start of a recipe that reads no input. Their ids begin with `id_prefix`."""
        self.record_start()
        constants = {"rows": rows, "shard_rows": shard_rows, "id_prefix": id_prefix}
        return self._finish(
            StepExecution("empty_rows", worker.run_empty_rows, "lake", [self.store.url], constants, rows)
        )

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
        spec = self.roles.find_engine(stage)
        constants = {
            "stage": stage,
            "spec": spec,
            "lake": self.store.url,
            "account": self.account,
            "policy": self.code_policy,
        }
        step = StepExecution(
            stage.label,
            worker.run_shard,
            "part",
            list(table.shards),
            constants,
            table.rows,
            is_stage=True,
            waits_for_server=spec is not None and engines.is_io_bound(spec),
        )
        self._begin(step)
        return self._register(Table.from_execution(step))

    def merge(self, merge: Merge, *tables: Table, shard_rows: int = 4096) -> Table:
        """Wait for `tables`, merge all of their rows, and cut the result into shards of `shard_rows` rows.

        Inputs that are too large for one worker are partitioned among all of them, if the merge can be.
        """
        constants = {
            "merge": merge,
            "tables": [self._wait_for_committed(table) for table in tables],
            "shard_rows": shard_rows,
            "policy": self.code_policy,
        }
        if partitioning.is_partitioned(merge, sum(table.rows for table in tables)):
            constants["partitioning"] = self._prepare_partitions(merge, constants)
        return self._finish(
            StepExecution(merge.label, worker.run_merge, "lake", [self.store.url], constants, tables[0].rows)
        )

    def _prepare_partitions(self, merge: PartitionedMerge, merging: dict[str, Any]) -> Partitioning | None:
        """Partition the inputs of a merge and prepare all partitions; None if the merge has no need of it."""
        plan = StepExecution(f"plan {merge.label}", partitioning.plan_partitioning, "lake", [self.store.url], merging)
        self.context.execute(plan)
        planned: Partitioning | None = self._wait_for(plan)[0]
        if planned is None:
            return None
        self.progress.print_line(f"{merge.label:<18} {planned.partitions:,} partitions")
        shared = {"merge": merge, "partitioning": planned.without_parts(), "lake": self.store.url}
        numbers = range(planned.partitions)
        for step in (
            StepExecution(f"partition {merge.label}", partitioning.distribute_rows, "group", planned.groups, shared),
            StepExecution(f"prepare {merge.label}", partitioning.prepare_partition, "number", numbers, shared),
        ):
            self.context.execute(step)
            self._wait_for(step)
        return planned.without_parts()

    def train(self, step: TrainingStep, *tables: Table) -> Receipt:
        """Wait for `tables`, then train the model of the step's role on them. The receipt names the trained model.

        Raises `QuestmillError` before the training starts if a table has no row to train on.
        """
        spec = self.roles.find_base_engine(step)
        committed_by_table = [self._wait_for_committed(table) for table in tables]
        for name, table, committed in zip(step.inputs, tables, committed_by_table, strict=True):
            rows = sum(part.rows for each in committed for part in each.parts)
            if rows <= (held_out := step.count_held_out(rows)):
                raise QuestmillError(self._explain_no_training(step, name, table, rows, held_out))
        constants = {"step": step, "spec": spec, "tables": committed_by_table, "policy": self.code_policy}
        training = StepExecution(
            step.label, train_worker.run_train, "lake", [self.store.url], constants, tables[0].rows
        )
        self._begin(training)
        receipts: list[Receipt] = self._wait_for(training)
        self._note_earlier_work(receipts)
        return receipts[0]

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
        self.context.expect_gate()
        constants = {"suite": suite, "expectations": expectations, "tables": self._wait_for_committed(table)}
        check = StepExecution("gate", gates.run_gate, "lake", [self.store.url], constants, table.rows)
        self._begin(check)
        receipt: Receipt = self._wait_for(check)[0]
        report = self.gate_reports[suite] = receipt.details["report"]
        self.context.save_artifact(f"gate-{suite}", (self.store.read(report) or b"").decode())
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
        others = [each for each in self.tables if each is not table and self._committed(each)]
        self._wait_for_committed(table)
        receipts_by_table = [(each, self._read_receipts(each)) for each in [*others, table]]
        steps = find_upstream([receipts for _, receipts in receipts_by_table])
        for each, receipts in receipts_by_table:
            if any(receipts is step for step in steps):
                self._note_cut_off(_executions(each))
        return [count_step(step).model_dump(mode="json") for step in steps]

    def publish(self, dataset: str, table: Table) -> Manifest:
        """Check the ledger and publish the rows of `table` as the current version of `dataset`.

        A run may publish several datasets. The ledger of each contains only the steps that its rows come from.
        """
        tables = [*(each for each in self.tables if each is not table), table]
        steps = [self._wait_for_committed(each) for each in tables]
        constants = {
            "dataset": dataset,
            "steps": [[each.name for each in step] for step in steps],
            "used": {each.name for step in steps for each in step if each.earlier_work == "used"},
            "recipe": self.recipe.model_dump(mode="json"),
            "report": self.gate_reports.get(dataset),
        }
        publication = StepExecution(
            f"publish {dataset}", publish.run_publish_by_name, "lake", [self.store.url], constants
        )
        self.context.execute(publication)
        manifest: Manifest = self._wait_for(publication)[0]
        self.context.save_artifact(f"funnel-{dataset}", format_funnel(manifest.ledger))
        state = f"published {manifest.dataset} {manifest.version}"
        self.record.record_event(
            f"published-{dataset}",
            {"state": state, "version": manifest.version, "report": manifest.report, "warnings": self.warnings},
        )
        self._save_report(manifest)
        return manifest

    def _save_report(self, manifest: Manifest) -> None:
        """Store the report of a published version. A report that fails does not undo the publication."""
        if not self.context.shows_artifacts and self.store.read(storage.report_path(manifest)) is not None:
            return
        name, constants = manifest.dataset, {"manifest": manifest}
        summary = StepExecution(f"report {name}", dataset_summary.run_summary, "lake", [self.store.url], constants)
        self.context.execute(summary)
        try:
            markdown = storage.save_report(self.store, self._wait_for(summary)[0])
        except QuestmillError as error:
            self.progress.print_line(f"no report of {name}: {error}")
            return
        self.context.save_artifact(f"report-{name}", markdown)

    def _begin(self, step: StepExecution) -> None:
        """Begin a step and show its progress."""
        if step.rows <= FEW_ROWS and step.constants.get("spec") is None:
            self.context.expect_gate()
        self.progress.add_step(step)
        self.context.execute(step)

    def _finish(self, step: StepExecution) -> Table:
        """Execute a step whose number of parts is not known beforehand, and make a shard of each part."""
        self._begin(step)
        return self._register(Table.from_receipts(step.name, self._wait_for(step)))

    def _wait_for_committed(self, table: Table) -> list[Committed]:
        """Wait until every shard of `table` is done; return the work that holds them, each once and in order."""
        for step in _executions(table):
            self._wait_for(step)
        committed = self._committed(table)
        self._note_earlier_work(committed)
        self._note_cut_off(_executions(table))
        return committed

    def _committed(self, table: Table) -> list[Committed]:
        """The work that holds the shards of `table`, each once and in order; empty while one of them is not done."""
        committed = [shard.committed for shard in table.shards]
        finished = {id(each): each for each in committed if each is not None}
        return [] if None in committed else list(finished.values())

    def _read_receipts(self, table: Table) -> list[Receipt]:
        """The receipts of a table that is done."""
        return self.store.read_receipts_by_name([each.name for each in self._committed(table)])

    def _note_earlier_work(self, committed: Sequence[Committed]) -> None:
        """Report once for each step that it uses rows produced by other code, or that it is redone."""
        if {each.key for each in committed} & self.noted_receipts:
            return
        self.noted_receipts |= {each.key for each in committed if each.earlier_work}
        for what, line in describe_earlier_work(committed).items():
            self._report(line, f"{what}-{committed[0].step}", is_warning=what == "used")

    def _note_cut_off(self, steps: list[StepExecution]) -> None:
        """Report once for each step of this run that many of its samples were cut off."""
        for name in dict.fromkeys(step.name for step in steps):
            group = {step for step in steps if step.name == name}
            if group <= self.counted_steps:
                continue
            self.counted_steps |= group
            if (line := sum((step.samples for step in group), SampleCount()).describe(name)) is not None:
                self._report(line, f"cut-off-{name}", is_warning=True)

    def _report(self, line: str, key: str, is_warning: bool) -> None:
        """Report one line on the terminal, in the log and as an artifact; warnings also in the record of the run."""
        self.warnings += [line] if is_warning else []
        self.progress.print_line(f"warning: {line}" if is_warning else line)
        self.context.warn(line)
        self.context.save_artifact(key, line)

    def _wait_for(self, step: StepExecution) -> list[Any]:
        """Wait for the results of a step; raises the error of its first call that failed.

        When the budget is spent, requests in flight still finish: they are already paid for.
        """
        try:
            return step.result_list()
        except BudgetSpent as error:
            self.context.wait_for_paid_work()
            self.record.record_event("ended", {"state": "stopped: the budget is spent"})
            raise BudgetSpent(
                f"the budget is spent ({budget.load_earlier_usage(self.store, self.id)}); finished shards are "
                f"committed, left to do: {self.progress.remaining()}; the same command with a higher budget continues"
            ) from error

    def record_start(self) -> None:
        """Record the start, after the input was checked. Raises `BadInput` if the lake has another format."""
        mark_format(self.store)
        name = self.context.recipe_name or type(self.recipe).__name__
        self.record.record_event("started", {"recipe": name, "parameters": self.recipe.model_dump(mode="json")})

    def _register(self, table: Table) -> Table:
        self.tables.append(table)
        return table


def _find_context() -> Context:
    if (dry_run := active_dry_run()) is not None:
        return dry_run
    from flows.run.prefect_context import PrefectContext  # late: a dry run does without Prefect

    return PrefectContext()


def _executions(table: Table) -> list[StepExecution]:
    """The steps of this run that yield shards of `table`."""
    return list(dict.fromkeys(shard.origin for shard in table.shards if isinstance(shard.origin, StepExecution)))


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
