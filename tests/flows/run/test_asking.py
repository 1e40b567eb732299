"""A recipe that asks a model behind a server, through Prefect and Dask: budgets, refusals, chaos, cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.run import run as running
from infra import engines
from infra.lake.store import Store, open_store
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer
from schemas.errors import BudgetSpent, EngineError
from schemas.identity import FrozenModel
from schemas.prompts import Sampling
from schemas.receipts import Manifest
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.proving_ground.draw_problems import DrawProblem

pytestmark = pytest.mark.system

Ask = Callable[..., Manifest]


class Recipe(FrozenModel):
    """Problems of the proving ground, and answers to them."""

    draw: DrawProblem = DrawProblem()
    solve: Solve = Solve(sampling=Sampling(n=2, temperature=0.7, max_tokens=64))
    judge: ScoreAnswer = ScoreAnswer()


@pytest.fixture
def ask(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the recipe against a server; `lake` names the lake, `budget` the tokens."""
    from prefect import flow

    from flows.run.dask_runner import dask_runner

    @flow(name="ask", task_runner=dask_runner)
    def ask(recipe: Recipe) -> Manifest:
        run = running.Run.open(recipe)
        drawn = run.map(recipe.draw, run.empty_rows(120, 30))
        solved = run.map(recipe.solve, drawn)
        return run.publish("rewards", run.map(recipe.judge, solved))

    def call(stub: MockServer, lake: str = "lake", budget: int | None = None) -> Manifest:
        profile = tmp_path / "profile.toml"
        role = f'kind = "http"\nmodel = "stub"\nbase_url = ["{stub.url}/v1"]\n'
        role += "max_in_flight = 8\nusd_per_million_out = 2.0\n"
        roles = f"[roles.solver]\n{role}[roles.reward]\n{role.replace('max_in_flight = 8', 'max_in_flight = 4')}"
        profile.write_text(f'[cluster]\nkind = "local"\nprocesses = false\n{roles}')
        monkeypatch.setenv("QUESTMILL_PROFILE", str(profile))
        monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / lake))
        monkeypatch.setenv("QUESTMILL_BUDGET_TOKENS", str(budget or ""))
        try:
            return ask(Recipe())
        finally:
            engines.unload()

    return call


def paid(store: Store) -> Any:
    return sum(receipt.usage.tokens for receipt in store.read_receipts())


def test_a_spent_budget_ends_a_run_and_a_higher_one_continues_it_to_the_same_rows(ask: Ask, tmp_path: Path) -> None:
    with MockServer(MockBehaviour(latency=0.005)) as stub:
        whole = ask(stub, "whole")
        needed, asked = paid(open_store(str(tmp_path / "whole"))), stub.read_counters().answered
        stub.reset()
        with pytest.raises(BudgetSpent, match=r"the budget is spent \([\d,]+ tokens.*left to do: .*\d+ of \d+ rows"):
            ask(stub, budget=needed // 2)
        assert BudgetSpent.exit_code == 4
        assert 0.3 * asked < stub.read_counters().answered < 0.6 * asked
        continued = ask(stub, budget=2 * needed)
        counts = stub.read_counters()
    assert continued.content == whole.content
    assert (counts.answered, counts.answered_more_than_once) == (asked, 0)
    assert sum(step.usage.tokens for step in continued.ledger) == needed
    assert all(step.usage.usd > 0 for step in continued.ledger[-2:])


def test_a_refused_key_ends_the_run_in_one_line_and_what_was_answered_is_kept(ask: Ask) -> None:
    with (
        MockServer(MockBehaviour(status=402)) as stub,
        pytest.raises(EngineError, match=r"HTTP 402: .*check the key and the acc"),
    ):
        ask(stub)


def test_a_run_against_a_broken_server_ends_by_itself_with_every_row_accounted_for(ask: Ask) -> None:
    chaos = MockBehaviour(
        fault_rate_limited=0.05,
        fault_server_error=0.05,
        fault_cut_off=0.05,
        fault_invalid_json=0.05,
        forbidden=0.1,
        retry_after=0.05,
    )
    with MockServer(chaos) as stub:
        _, _, solved, judged = ask(stub).ledger
        assert sum(stub.read_counters().faults.values()) > 10
    assert judged.rows_in == 2 * solved.kept == judged.kept + sum(judged.quarantined.values())
    assert solved.rows_in == 120 == solved.kept + sum(solved.quarantined.values())
    assert 2 < solved.quarantined["refused with 400"] < 30
