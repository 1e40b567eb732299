"""What many tests need: a lake of their own, in memory or behind a real S3 server over HTTP."""

import logging
import uuid
from collections.abc import Iterator

import pytest

pytest_plugins = ("tests.support.skips",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests with the marker `early` first, and spreads those of flows evenly among the others.

    Several processes share the tests, and each takes the next one. Tests of flows mostly wait for Prefect's server, so
    the cores would be idle if all processes were at them at the same time.
    """
    groups: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        groups[item.nodeid.startswith("tests/flows/")].append(item)
    place = {id(item): number / len(group) for group in groups.values() for number, item in enumerate(group)}
    items.sort(key=lambda item: (item.get_closest_marker("early") is None, place[id(item)]))


@pytest.fixture
def lake() -> str:
    """The url of an empty lake in memory."""
    return f"memory://lake-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of an S3 server on this machine."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_lake(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The url of an empty lake in a bucket of its own; the environment says where, as it does for a user."""
    import s3fs

    for name, value in (("ENDPOINT_URL", s3_server), ("ACCESS_KEY_ID", "questmill"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/the lake"
    s3fs.S3FileSystem.clear_instance_cache()
