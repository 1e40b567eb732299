"""The deployments of infra/prefect.yaml: they can be deployed as they are, their form explains itself, and they run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import recipe_help
from flows.cli.prefect_server import ensure_prefect_server
from infra.lake.store import Store
from tests.support.runs import ROOT, TIMEOUT_SECONDS


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server of its own: Prefect turns a deployment down, again and again, where others write to its SQLite file."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with ensure_prefect_server() as used, temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}):
        used.set()
        yield


@pytest.mark.system
@pytest.mark.usefixtures("server")
def test_the_verify_deployment_runs_and_its_form_explains_every_field(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    _prefect("work-pool", "create", "questmill", "--type", "process")
    _prefect("deploy", "--prefect-file", "infra/prefect.yaml", "--all")
    deployment, run = asyncio.run(_start())
    assert [schedule.schedule.cron for schedule in deployment.schedules] == ["0 3 * * *"]
    assert deployment.global_concurrency_limit.limit == 1
    _assert_explained(deployment.parameter_openapi_schema)

    env = {"QUESTMILL_STORE": str(lake), "QUESTMILL_PROFILE": "ci"}
    _prefect("worker", "start", "--pool", "questmill", "--limit", "1", "--run-once", env=env)
    ended = asyncio.run(_read(run.id))
    assert ended.state.is_completed(), ended.state
    manifest = Store(str(lake)).datasets.read_manifest("verified")
    assert manifest is not None
    assert manifest.recipe["input"] == ["data/seeds/attempts.jsonl"]
    assert manifest.rows > 250


def _assert_explained(schema: dict[str, Any]) -> None:
    """Every flag of the command is a field of the form, with its help."""
    from flows.verify import Verification

    definitions = schema["definitions"]
    for path, _, text in recipe_help.describe(Verification):
        *folders, name = path.split(".")
        model = definitions["Verification"]
        for folder in folders:
            model = model["properties"][folder]
        assert " ".join(model["properties"][name]["description"].split()) == text


def _prefect(*words: str, env: dict[str, str] | None = None) -> None:
    env = os.environ | {"PWD": str(ROOT), "PYTHONWARNINGS": "ignore"} | (env or {})
    command = [sys.executable, "-m", "prefect", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


async def _start() -> tuple[Any, Any]:
    """The deployment, and a run of it with the parameters of the file."""
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        deployment = await client.read_deployment_by_name("verify/verify")
        return deployment, await client.create_flow_run_from_deployment(deployment.id)


async def _read(run: Any) -> Any:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        return await client.read_flow_run(run)
