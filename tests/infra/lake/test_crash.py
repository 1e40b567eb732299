"""A run that dies at any single write of the store, just before it or just after, is completed by running it again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from infra.lake import catalog
from infra.lake.store import Store, open_store
from schemas.input import Source
from schemas.receipts import Manifest
from schemas.steps import Stage
from tasks.verification.verify import Verify
from tests.support.pipeline import Compare, make_attempt, verify, write_jsonl

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]

When = Literal["before", "after"]


class Crash(BaseException):
    """The process dies: nothing in the factory may catch this."""


class CrashFileSystem(MemoryFileSystem):
    """Files in memory, and a process that dies at its n-th write: before it takes effect, or after."""

    protocol = "crash"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    writes: ClassVar[int] = 0
    fatal: ClassVar[tuple[int, When] | None] = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(str(path).removeprefix("crash://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        """Every write of this file system goes through here, however it was asked for."""
        if mode == "rb":
            return super()._open(path, mode, **options)
        kind = type(self)
        kind.writes += 1
        if kind.fatal == (kind.writes, "before"):
            raise Crash
        try:
            return super()._open(path, mode, **options)
        finally:
            if kind.fatal == (kind.writes, "after"):
                raise Crash


fsspec.register_implementation("crash", CrashFileSystem, clobber=True)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    CrashFileSystem.fatal = None
    CrashFileSystem.store.clear()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Twelve attempts in three shards, with a row for each way out of the recipe."""
    odd = [make_attempt(10, response="broken"), make_attempt(11, question=None)]
    table = [make_attempt(n, model="m") for n in range(10)] + odd
    return Source(input=(write_jsonl(tmp_path / "a.jsonl", table),), shard_rows=4)


def snapshot(store: Store) -> dict[str, bytes]:
    return {path: store.read(path) or b"" for path in store.list_paths("")}


def facts(store: Store) -> dict[str, Any]:
    """What must not depend on crashes: all but times."""
    receipts = [r.model_dump(exclude={"seconds"}) for r in store.read_receipts()]
    manifest = store.datasets.read_manifest("verified")
    assert manifest is not None
    shown = manifest.model_dump(exclude={"created", "ledger"})
    ledger = [count.model_dump(exclude={"seconds"}) for count in manifest.ledger]
    return {
        "receipts": receipts,
        "manifest": shown,
        "ledger": ledger,
        "current": store.datasets.current_version("verified"),
        "history": store.datasets.version_history("verified"),
        "files": sorted(store.list_paths("")),
        "rows": catalog.open_catalog(store).sql("FROM verified").fetchall(),
    }


def die(source: Source, stage: Stage, lake: str, write: int, when: When) -> bool:
    """Run until the given write kills the run; False where the run ends before it."""
    CrashFileSystem.writes, CrashFileSystem.fatal = 0, (write, when)
    try:
        verify(source, stage, lake)
    except Crash:
        return True
    finally:
        CrashFileSystem.fatal = None
    return False


def assert_whole_or_nothing(store: Store, expected: Manifest) -> None:
    """What a reader sees after a crash: the dataset as it will be, or none."""
    seen = store.datasets.read_manifest("verified")
    assert (seen is not None) == (store.datasets.names() == ["verified"])
    if seen is not None:
        assert seen.content == expected.content
    for receipt in store.read_receipts():
        for part in (*receipt.parts, *filter(None, (receipt.rejects, receipt.quarantine))):
            assert store.get(part).num_rows == part.rows


@pytest.mark.system
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_single_write_of_a_run_may_be_its_last(source: Source, when: When) -> None:
    stage = Compare()
    expected = verify(source, stage, "crash://undisturbed")
    undisturbed = facts(open_store("crash://undisturbed"))
    write = 1
    while die(source, stage, lake := f"crash://{when}-{write}", write, when):
        store = open_store(lake)
        assert_whole_or_nothing(store, expected)
        assert verify(source, stage, lake).content == expected.content
        assert facts(store) == undisturbed, f"a crash {when} write {write} left something behind"
        write += 1
    assert write - 1 == len(undisturbed["files"]), "each file is written once, and nothing else is"


def test_a_run_that_is_done_writes_nothing_new_when_it_is_run_again(source: Source) -> None:
    lake = "crash://again"
    first = verify(source, Compare(), lake)
    before = snapshot(open_store(lake))
    assert verify(source, Compare(), lake) == first
    assert snapshot(open_store(lake)) == before


def test_crash_after_crash_still_ends_in_the_same_dataset(source: Source) -> None:
    expected = verify(source, Compare(), "crash://undisturbed")
    lake, crashes = "crash://stubborn", 0
    while die(source, Compare(), lake, 1 + crashes, "after" if crashes % 3 else "before"):
        crashes += 1
        assert crashes < 100
    assert crashes > 5 and verify(source, Compare(), lake).content == expected.content
    assert facts(open_store(lake)) == facts(open_store("crash://undisturbed"))


def test_no_write_that_follows_the_pointer_changes_what_readers_see(source: Source) -> None:
    verify(source, Compare(), "crash://whole")
    total = len(open_store("crash://whole").list_paths(""))
    assert die(source, Compare(), "crash://last", total, "after"), "the last write"
    store = open_store("crash://last")
    visible = snapshot(store)
    assert store.datasets.read_manifest("verified") is not None
    verify(source, Compare(), "crash://last")
    assert snapshot(store) == visible


def test_verdicts_of_other_milliseconds_are_the_same_content(source: Source) -> None:
    one, two = (verify(source, Compare(milliseconds=ms), f"crash://ms-{ms}") for ms in (1.0, 2.0))
    assert one.content == two.content and one.parts != two.parts


def test_a_run_with_the_real_verifier_survives_crashes_too(source: Source) -> None:
    expected = verify(source, Verify(), "crash://real").content
    for write in (3, 7, 9, 12, 16, 19):
        lake = f"crash://real-{write}"
        assert die(source, Verify(), lake, write, "before")
        assert verify(source, Verify(), lake).content == expected
