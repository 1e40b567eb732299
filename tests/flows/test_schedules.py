"""The schedules of infra/prefect.yaml on a server that runs all of its services, as operators start it."""

import asyncio
import datetime
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import ROOT, TIMEOUT_SECONDS, wait_until

SOON = 90.0
"""Seconds until a scheduled run must be there."""
OWN = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",  # else it comes once a minute, and its errors after the test
    "PREFECT_CLI_PROMPT": "false",
    "PYTHONWARNINGS": "ignore",
    "PWD": str(ROOT),
}


class Server:
    """`prefect server start`, with a home of its own and its output in a file."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url, self.home, self.log = f"http://127.0.0.1:{port}/api", home, home / "server.log"
        home.mkdir()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.env = inherited | OWN | {"PREFECT_HOME": str(home), "PREFECT_API_URL": self.url}
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def answers(self) -> bool:
        """Whether it is ready; fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def prefect(self, *words: str) -> None:
        """Run Prefect's command against it."""
        command = [sys.executable, "-m", "prefect", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr

    def complaints(self) -> list[str]:
        """Errors of the services that make scheduled runs."""
        return [line for line in self.log.read_text().splitlines() if re.search("ERROR.*schedule", line)]

    def end(self) -> None:
        """End it, whatever it is doing."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "prefect")
    try:
        wait_until(server.answers)
        yield server
    finally:
        server.end()


@pytest.mark.system
def test_scheduled_runs_appear_at_their_times_on_a_server_with_all_its_services(server: Server) -> None:
    server.prefect("work-pool", "create", "questmill", "--type", "process")
    server.prefect("deploy", "--prefect-file", "infra/prefect.yaml", "--all")
    wait_until(lambda: {run.expected_start_time.hour for run in scheduled(server, "smoke")} == {2}, SOON)
    wait_until(lambda: {run.expected_start_time.hour for run in scheduled(server, "verify")} == {3}, SOON)

    # Half a minute at least, so that its time has not come before the command has ended.
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)).replace(second=0, microsecond=0)
    changed = server.home / "prefect.yaml"
    changed.write_text((ROOT / "infra/prefect.yaml").read_text().replace('"0 3 * * *"', f'"{soon:%M %H} * * *"'))
    server.prefect("deploy", "--prefect-file", str(changed), "--name", "verify")
    wait_until(lambda: soon in {run.expected_start_time for run in scheduled(server, "verify")}, SOON)
    time.sleep(6)  # its time may be far, but the service that comes by the clock has come once more
    assert server.complaints() == []


def scheduled(server: Server, deployment: str) -> list[Any]:
    """The runs of `deployment` that wait for their time; fails where the server complains of its scheduler."""
    assert server.complaints() == []
    return asyncio.run(_scheduled(server.url, deployment))


async def _scheduled(url: str, deployment: str) -> list[Any]:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas import filters

    runs = filters.FlowRunFilter.model_validate({"state": {"type": {"any_": ["SCHEDULED"]}}})
    only = filters.DeploymentFilter.model_validate({"name": {"any_": [deployment]}})
    async with PrefectClient(url) as client:
        return await client.read_flow_runs(flow_run_filter=runs, deployment_filter=only)
