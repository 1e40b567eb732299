"""Ceph's own S3 gateway, where its daemons are installed: the fixture of an empty lake behind it."""

import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_suffix(".sh")
NEEDED = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "curl")


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A gateway of its own; what the environment must hold to use it."""
    if None in map(shutil.which, NEEDED):
        pytest.skip("needs Ceph's daemons: apt-get install ceph-mon ceph-osd ceph-common radosgw curl")
    folder = tmp_path_factory.mktemp("ceph")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(free.getsockname()[1]) for free in (one, other)]
    try:
        command = [SCRIPT, "start", folder, *ports]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield dict(line.split("=", 1) for line in done.stdout.splitlines())
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True, timeout=60)


@pytest.fixture
def ceph_lake(ceph: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The url of an empty lake in a bucket of its own; the environment says where."""
    import s3fs

    for name, value in ceph.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/the lake"
    s3fs.S3FileSystem.clear_instance_cache()
