"""The desk: nothing is asked twice, everything is paid for once, and a budget ends the asking."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from infra import engines
from infra.cluster import worker
from infra.cluster.budget import USAGE_HANDLER, BudgetTracker, load_earlier_usage, register_usage_handler, tracker_for
from infra.cluster.metered_engine import GpuMeter, JournaledEngine
from infra.engines.fake import FakeEngine
from infra.lake import catalog
from infra.lake.reply_journal import Journal
from infra.lake.store import open_store
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer
from schemas.budget import Account, Budget
from schemas.engine import Completion, Request
from schemas.engine_specs import EmbeddedSpec, HttpSpec
from schemas.errors import BudgetSpent
from schemas.identity import ask_fingerprint, fingerprint
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.receipts import Receipt, Usage
from tasks.base.ask import Ask, make_request
from tasks.base.score import Score
from tests.bench.support.mock_servers import asked as asked_again
from tests.bench.support.mock_servers import begin, served
from tests.support.scripted_server import Answer, Asked, ScriptedServer, chat_reply

TOKENS = 41
"""Of a reply of the stub, its end counted."""
SAMPLED = Sampling(n=2, temperature=1.0, max_tokens=64)


class Tell(Ask):
    """Asks about a number."""

    table: ClassVar[pa.Schema] = pa.schema(
        [pa.field("row_id", pa.string(), False), pa.field("text", pa.string(), False)]
    )
    role: str | None = "solver"
    sampling: Sampling = SAMPLED

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=str(row["number"]))

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Row | Reject]:
        yield {"row_id": row["row_id"], "text": replies[0].text}


def spec(stub: MockServer | ScriptedServer, **fields: Any) -> HttpSpec:
    return HttpSpec(**{"kind": "http", "model": "stub", "base_url": (f"{stub.url}/v1",), **fields})


@pytest.fixture
def stub() -> Iterator[MockServer]:
    with MockServer() as stub:
        yield stub
        engines.unload()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


def asked(
    stub: MockServer | ScriptedServer, lake: str, rows: int = 20, account: Account | None = None, **fields: Any
) -> Receipt:
    blanks = worker.run_empty_rows(rows, rows, lake)
    return worker.run_shard(
        Tell(template="Tell."), spec(stub, **fields), blanks.parts[0], lake, account or Account(run="r")
    )


def test_a_shard_is_asked_once_and_its_receipt_tells_what_it_cost(stub: MockServer, folder: str) -> None:
    receipt = asked(stub, folder, usd_per_million_in=1.0, usd_per_million_out=10.0)
    assert receipt.kept == 20
    assert receipt.usage.completion_tokens == 20 * 2 * TOKENS
    assert receipt.usage.usd == pytest.approx((receipt.usage.prompt_tokens + 10 * 40 * TOKENS) / 1e6)
    assert asked(stub, folder).was_cached and stub.read_counters().requests == 20
    assert open_store(folder).list_paths("journal") == []


def test_a_receipt_counts_the_samples_that_were_cut_off(folder: str) -> None:
    """Replies of the journal count once, however often a stage asks for them."""
    blanks = worker.run_empty_rows(6, 6, folder)
    tell = Tell(template="Tell.", sampling=SAMPLED.model_copy(update={"max_tokens": 4}))
    receipt = worker.run_shard(tell, EmbeddedSpec(), blanks.parts[0], folder, Account(run="r"))
    assert {name: receipt.details[name] for name in ("samples", "max_tokens")} == {"samples": "12", "max_tokens": "4"}
    assert 0 < int(receipt.details["cut_off"]) <= 12


def test_a_role_that_thinks_has_tokens_for_its_thoughts_in_addition(folder: str) -> None:
    blanks = worker.run_empty_rows(6, 6, folder)
    tell = Tell(template="Tell.", sampling=SAMPLED.model_copy(update={"max_tokens": 4}))
    receipt = worker.run_shard(tell, EmbeddedSpec(thought_tokens=200), blanks.parts[0], folder, Account(run="r"))
    assert {name: receipt.details[name] for name in ("samples", "cut_off")} == {"samples": "12", "cut_off": "0"}


def test_what_a_lost_run_was_told_is_not_asked_again(stub: MockServer, folder: str) -> None:
    store, stage = open_store(folder), Tell(template="Tell.")
    lost = worker.run_empty_rows(20, 20, folder)
    rows, model = store.get(lost.parts[0]).to_pylist(), fingerprint(spec(stub))
    shared = ask_fingerprint(stage.label, stage.sampling, model)
    keys = [make_request(shared, row["row_id"], stage.prompt(row), 2).key for row in rows]
    journal = Journal(store, stage.journal_key(rows, model))
    reply = Completion(text="from before", finish_reason="stop", prompt_tokens=3, completion_tokens=2)
    for key in keys[:15]:
        journal.add(key, {0: reply, 1: reply})
    journal.add(keys[15], {1: reply})
    journal.close()

    receipt = asked(stub, folder)
    texts = store.get(receipt.parts[0])["text"].to_pylist()
    assert texts.count("from before") == 15
    assert stub.read_counters().requests == 5
    assert receipt.usage.completion_tokens == 15 * 4 + 2 + (1 + 2 * 4) * TOKENS


@pytest.mark.system
def test_a_worker_that_is_killed_pays_for_no_more_than_what_was_in_flight(folder: str) -> None:
    with served(latency=0.02) as stub:
        job = {"url": stub.url, "lake": folder, "rows": 400, "shard_rows": 100, "slots": 8}
        process = begin(**job)
        answered = threading.Event()
        while stub.counts()["answered"] < 200:
            answered.wait(0.01)
        process.kill()
        process.communicate()
        told, counts = asked_again(**job), stub.counts()
    assert (told["kept"], counts["bodies"]) == (400, 400)
    assert counts["answered_more_than_once"] <= 8


def test_a_parser_that_raises_costs_nothing_twice(stub: MockServer, folder: str) -> None:
    class Picky(Tell):
        def parse(self, row: Row, replies: list[Completion]) -> Iterator[Row | Reject]:
            if row["number"] == 7:
                raise ValueError("seven")
            yield from super().parse(row, replies)

    blanks = worker.run_empty_rows(20, 20, folder)
    receipt = worker.run_shard(Picky(template="Tell."), spec(stub), blanks.parts[0], folder, Account(run="r"))
    assert (receipt.kept, receipt.quarantined) == (19, {"stage failed": 1})
    assert stub.read_counters().answered_more_than_once == 0


def test_every_answerable_row_is_kept_and_every_other_one_quarantined_with_its_reason(folder: str) -> None:
    with MockServer(MockBehaviour(forbidden=0.2)) as stub:
        receipt = asked(stub, folder, rows=60)
        engines.unload()
    assert receipt.kept + sum(receipt.quarantined.values()) == 60
    assert 3 < receipt.quarantined["refused with 400"] < 30


def test_identical_prompts_are_all_asked_each_with_its_own_seed(stub: MockServer, folder: str) -> None:
    class Blank(Tell):
        def prompt(self, row: Row) -> Prompt:
            return self.make_prompt()

    blanks = worker.run_empty_rows(300, 100, folder)
    for i in range(3):
        worker.run_shard(Blank(template="Tell."), spec(stub), blanks.parts[i], folder, Account(run="r"))
    counts = stub.read_counters()
    assert (counts.requests, counts.seeded) == (300, 300)


def test_at_the_limit_asking_stops_and_a_higher_budget_pays_for_the_rest_only(stub: MockServer, folder: str) -> None:
    store, one = open_store(folder), 2 * TOKENS + 4
    poor = Account(run="r", budget=Budget(tokens=10 * one))
    with pytest.raises(BudgetSpent, match="rows of this shard have no reply"):
        asked(stub, folder, account=poor, max_in_flight=2)
    asked_first = stub.read_counters().answered
    assert 8 <= asked_first <= 11
    before = load_earlier_usage(store, "r")
    assert before.completion_tokens == asked_first * 2 * TOKENS

    with pytest.raises(BudgetSpent):
        asked(stub, folder, account=poor.model_copy(update={"spent_before": before}))
    assert stub.read_counters().answered == asked_first, "the same budget buys nothing more"

    rich = Account(run="r", budget=Budget(tokens=10**6), spent_before=before)
    receipt = asked(stub, folder, account=rich)
    assert (receipt.kept, stub.read_counters().answered) == (20, 20)
    assert receipt.usage.completion_tokens == 20 * 2 * TOKENS


class Judge(Score):
    """Asks for a probability."""

    table: ClassVar[pa.Schema] = pa.schema([pa.field("row_id", pa.string()), pa.field("reward", pa.float64())])
    role: str | None = "reward"

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=str(row["number"]))

    def score(self, row: Row, probability: float) -> Iterator[Row | Reject]:
        yield {"row_id": row["row_id"], "reward": probability}


def test_probabilities_are_paid_for_limited_and_quarantined_like_other_replies(folder: str) -> None:
    blanks = worker.run_empty_rows(60, 60, folder)
    with MockServer(MockBehaviour(forbidden=0.2), reply=lambda body, sample: "yes") as stub:
        poor = Account(run="rated", budget=Budget(tokens=20))
        with pytest.raises(BudgetSpent):
            worker.run_shard(Judge(template="Judge."), spec(stub), blanks.parts[0], folder, poor)
        first = stub.read_counters().answered
        receipt = worker.run_shard(Judge(template="Judge."), spec(stub), blanks.parts[0], folder, Account(run="rated"))
        counts = stub.read_counters()
        engines.unload()
    assert 0 < first < 30
    assert receipt.kept + receipt.quarantined["refused with 400"] == 60
    assert counts.answered_more_than_once == 0 and receipt.usage.tokens > 20


def test_tokens_that_the_server_does_not_count_are_paid_for_and_limited_by_estimate(folder: str) -> None:
    with ScriptedServer(lambda asked: Answer(chat_reply("12345678", "1234567") | {"usage": None})) as server:
        receipt = asked(server, folder, usd_per_million_out=10.0)
        assert (receipt.kept, receipt.usage.completion_tokens) == (20, 20 * (2 + 2))
        assert receipt.usage.prompt_tokens > 20 * 3 and receipt.usage.usd == pytest.approx(80 * 10 / 1e6)
        with pytest.raises(BudgetSpent):
            asked(server, folder, rows=60, account=Account(run="r", budget=Budget(tokens=200)))
        engines.unload()
    assert len(server.asked) < 60


def test_a_row_without_a_score_is_quarantined_with_its_reason_and_never_scored(folder: str) -> None:
    def answer(asked: Asked) -> Answer:
        first = "To" if "7" in asked.body["messages"][-1]["content"] else "yes"
        top = [{"token": first, "logprob": -0.01}, {"token": "no", "logprob": -5.0}]
        reply = chat_reply(first)
        reply["choices"][0]["logprobs"] = {"content": [{"token": first, "logprob": -0.01, "top_logprobs": top}]}
        return Answer(reply)

    blanks = worker.run_empty_rows(40, 40, folder)
    with ScriptedServer(answer) as server:
        receipt = worker.run_shard(Judge(template="Judge."), spec(server), blanks.parts[0], folder, Account(run="r"))
        engines.unload()
    assert (receipt.kept, receipt.quarantined) == (36, {"says neither yes nor no": 4})


def test_retries_do_not_eat_the_budget(folder: str) -> None:
    with MockServer(MockBehaviour(fault_rate_limited=0.5, retry_after=0.001)) as stub:
        account = Account(run="r", budget=Budget(tokens=20 * 2 * TOKENS + 200))
        assert asked(stub, folder, account=account, max_attempts=20).kept == 20
        engines.unload()


def test_shards_of_two_servers_share_a_worker(folder: str) -> None:
    blanks = worker.run_empty_rows(40, 20, folder)
    with (
        MockServer(MockBehaviour(latency=0.05)) as one,
        MockServer(MockBehaviour(latency=0.05)) as other,
        ThreadPoolExecutor() as pool,
    ):
        stage = Tell(template="Tell.")
        shards = [
            pool.submit(worker.run_shard, stage, spec(stub, max_in_flight=4), blanks.parts[i], folder, Account(run="r"))
            for i, stub in enumerate((one, other))
        ]
        assert [shard.result(60).kept for shard in shards] == [20, 20]
        engines.unload()
        assert (one.read_counters().answered, other.read_counters().answered) == (20, 20)


def test_a_model_makes_room_only_when_nobody_uses_it_any_more() -> None:
    one, other = (EmbeddedSpec(threads=threads) for threads in (1, 2))
    with ThreadPoolExecutor() as pool:
        with engines.borrow(one) as engine:
            waiting = pool.submit(engines.load, other)
            assert len(list(engine.stream([Request("r", Prompt(stage="solve"), (1,))], Sampling(max_tokens=2)))) == 1
            assert not waiting.done()
        assert waiting.result(60) is not engine
    engines.unload()


def test_a_journal_that_cannot_be_read_does_not_keep_the_next_shard_out(stub: MockServer, folder: str) -> None:
    class Unreadable(Journal):
        def read_replies(self) -> dict[str, dict[int, Completion]]:
            raise OSError("gone")

    store = open_store(folder)
    with engines.borrow(spec(stub)) as engine:
        with (
            pytest.raises(OSError, match="gone"),
            JournaledEngine(engine, spec(stub), Unreadable(store, "k"), tracker_for(Account(), store)),
        ):
            pass
        with JournaledEngine(engine, spec(stub), Journal(store, "k"), tracker_for(Account(), store)) as desk:
            assert desk.replies == {}


def test_a_second_start_on_the_same_scheduler_counts_nothing_twice(folder: str) -> None:
    class Scheduler:
        handlers: dict[str, Any] = {}

    register_usage_handler(Scheduler)
    add = Scheduler.handlers[USAGE_HANDLER]

    def report(start: str, tracker: str, spent: Usage) -> Usage:
        return Usage(**add(start=start, tracker=tracker, spent=spent.model_dump()))

    first = BudgetTracker(Account(run="r", start_id="1"), open_store(folder), report)
    first.record_usage(Usage(completion_tokens=60))
    first.sync()
    second = BudgetTracker(
        Account(run="r", start_id="2", spent_before=Usage(completion_tokens=60)), open_store(folder), report
    )
    second.sync()
    assert second.total_usage().tokens == 60
    first.stop_event.set()
    second.stop_event.set()


@pytest.mark.parametrize(("usage", "estimated"), [({"prompt_tokens": 7, "completion_tokens": 10}, 0), (None, None)])
def test_tokens_that_the_server_did_not_count_are_told_apart(
    folder: str, usage: dict[str, int] | None, estimated: int | None
) -> None:
    with ScriptedServer(lambda asked: Answer(chat_reply("Four.", "Five.", usage=usage))) as server:
        receipt = asked(server, folder, rows=3)
        again = asked(server, folder, rows=3)
        engines.unload()
    spent = receipt.usage
    assert spent.estimated_tokens == (spent.tokens if estimated is None else estimated) and spent.tokens > 0
    assert str(spent) == (f"{spent.tokens} tokens" + (f" ({spent.tokens} estimated)" if estimated is None else ""))
    assert again.usage == spent
    with contextlib.closing(catalog.open_catalog(open_store(folder))) as con:
        assert con.sql("SELECT estimated_tokens FROM receipts WHERE step = 'tell'").fetchall() == [
            (spent.estimated_tokens,)
        ]


def test_dollars_and_gpu_hours_end_the_asking_too(folder: str) -> None:
    spent = Usage(usd=2.0, gpu_seconds=7200)
    assert Budget(usd=2.0).covers(spent) and not Budget(usd=1.99).covers(spent)
    assert Budget(gpu_hours=2.0).covers(spent) and not Budget(gpu_hours=1.99).covers(spent)
    assert Budget().covers(spent) and not Budget().has_limit
    assert not Budget(tokens=0).covers(Usage()), "a budget of nothing buys nothing"


def test_a_till_counts_what_the_others_have_spent(folder: str) -> None:
    told: dict[str, Usage] = {"other": Usage(completion_tokens=60)}

    def report(run: str, who: str, spent: Usage) -> Usage:
        told[who] = spent
        return sum(told.values(), Usage())

    mine = BudgetTracker(Account(run="r", budget=Budget(tokens=100)), open_store(folder), report)
    assert mine.may_send()
    mine.record_usage(Usage(completion_tokens=30))
    mine.sync()
    assert mine.total_usage().tokens == 90
    assert not mine.may_send(), "the next one is expected to cost 30"
    told["other"] = Usage(completion_tokens=10)
    mine.sync()
    assert mine.may_send()
    mine.stop_event.set()


def test_a_request_that_is_cancelled_leaves_its_share_of_the_budget_to_another(folder: str) -> None:
    account = Account(run="r", budget=Budget(tokens=1))
    tracker = BudgetTracker(account, open_store(folder), lambda start, tracker, usage: usage)
    assert tracker.may_send()
    assert tracker.may_send() is None, "what the first one costs is not known yet"
    tracker.cancel(1)
    assert tracker.may_send()
    tracker.stop_event.set()


def test_a_process_has_one_till_for_a_start_of_a_run(folder: str) -> None:
    store, account = open_store(folder), Account(run="r")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: id(tracker_for(account, store)), range(8)))) == 1
    assert tracker_for(Account(run="other"), store) is not tracker_for(account, store)


def test_gpu_time_is_shared_out_among_the_shards_that_use_it_at_once() -> None:
    meter = GpuMeter()
    meter.start(1, 1)
    meter.start(2, 1)
    both = threading.Event()
    both.wait(0.05)
    two, one = meter.take_seconds(2), meter.stop(1)
    assert one == pytest.approx(two, rel=0.5) and one >= 0.02


def test_a_desk_asks_a_batch_engine_too(folder: str) -> None:
    store = open_store(folder)
    engine = FakeEngine(lambda prompt, seed: f"reply {seed}")
    account = tracker_for(Account(run="fake"), store)
    requests = [Request(str(i), Prompt(stage="s"), (i, 10 + i)) for i in range(3)]
    priced = HttpSpec(kind="http", model="m", base_url=("http://nowhere",))
    with JournaledEngine(engine, priced, Journal(store, "k"), account) as desk:
        first = sorted(desk.stream(requests, SAMPLED), key=lambda pair: pair[0].row_id)
        again = sorted(desk.stream(requests, SAMPLED), key=lambda pair: pair[0].row_id)
    assert again == first and len(engine.calls) == 3
