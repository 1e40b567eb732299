"""The deployments of infra/prefect.yaml: they can be deployed as they are, their form explains itself, and they run."""

import asyncio
from pathlib import Path
from typing import Any

from forks import forked
from runs import ROOT, end

from flows import recipe
from infra.store import Store


def test_the_verify_deployment_runs_and_its_form_explains_every_field(api: str, tmp_path: Path) -> None:
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
    manifest = Store(str(lake)).manifest("verified")
    assert manifest is not None
    assert manifest.recipe["input"] == ["data/seeds/attempts.jsonl"]
    assert manifest.rows > 250


def _assert_explained(schema: dict[str, Any]) -> None:
    """Every flag of the command is a field of the form, with its help."""
    from flows.verify import Verification

    definitions = schema["definitions"]
    for flag, _, text in recipe.describe(Verification):
        *folders, name = flag[2:].split(".")
        model = definitions["Verification"]
        for folder in folders:
            field = model["properties"][folder]
            reference = field.get("$ref") or field["allOf"][0]["$ref"]
            model = definitions[reference.rsplit("/", 1)[1]]
        assert text, f"{flag} says nothing about itself"
        assert " ".join(model["properties"][name]["description"].split()) == text


def _prefect(*words: str, env: dict[str, str] | None = None) -> None:
    env = {"PWD": str(ROOT), "PYTHONWARNINGS": "ignore"} | (env or {})
    code, out, err = end(forked(*words, env=env, module="prefect"))
    assert code == 0, out + err


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
