"""A lake behind servers that speak S3 and word their errors otherwise, or lose their answers: the status decides."""

import re
from collections.abc import Callable, Iterator

import pytest
import s3fs

from infra.lake.exclusive_create import TRIES
from infra.lake.store import Store
from schemas.errors import BadInput
from tests.support.gateway import Gateway, as_page, gateway, without_body, without_condition
from tests.support.store_contract import StoreContract

MIB = 1 << 20
WORDINGS = pytest.mark.parametrize("body", [without_condition, without_body, as_page])


@pytest.fixture
def gate(s3_server: str, s3_lake: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Between the lake and its server."""
    with gateway(s3_server) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        s3fs.S3FileSystem.clear_instance_cache()
        yield gate


@pytest.mark.system
class TestBehindBareAnswers(StoreContract):
    @pytest.fixture
    def store(self, gate: Gateway, s3_lake: str) -> Store:
        gate.body = without_body
        return Store(s3_lake)


@WORDINGS
def test_the_second_of_two_writers_is_told_whatever_the_words(
    gate: Gateway, s3_lake: str, body: Callable[[int, bytes], bytes]
) -> None:
    gate.body, store = body, Store(s3_lake)
    assert store.write("pins/a", b"one") and not store.write("pins/a", b"one") and not store.write("pins/a", b"two")
    assert store.read("pins/a") == b"one" and ("PUT", 412) in gate.seen
    assert store.read("pins/b") is None and store.check(write=True)


@WORDINGS
def test_an_upload_in_parts_is_told_apart_too(gate: Gateway, s3_lake: str, body: Callable[[int, bytes], bytes]) -> None:
    gate.body, store = body, Store(s3_lake)
    store.whole_bytes = 10 * MIB
    data = bytes(12 * MIB)
    assert store.write("objects/big", data)
    assert len([answer for answer in gate.seen if answer[0] == "POST"]) == 2, "it is begun and completed"
    assert not store.write("objects/big", data[:-1] + b"!")
    assert store.read("objects/big") == data


def test_an_upload_in_parts_that_is_overtaken_is_told_so_at_its_end(gate: Gateway, s3_lake: str) -> None:
    slow, fast = Store(s3_lake), Store(s3_lake)
    slow.whole_bytes, gate.body = 10 * MIB, without_condition

    def overtake(request: str) -> None:
        if request.startswith("POST") and "uploadId=" in request:
            assert fast.write("objects/big", b"fast")

    gate.meanwhile = overtake
    assert not slow.write("objects/big", bytes(12 * MIB))
    assert ("POST", 412) in gate.seen and fast.read("objects/big") == b"fast"


def test_an_upload_in_parts_whose_last_answer_is_lost_is_there(gate: Gateway, s3_lake: str) -> None:
    store = Store(s3_lake)
    store.whole_bytes, gate.body = 10 * MIB, without_body

    def lose(request: str) -> None:
        if request.startswith("POST") and "uploadId=" in request and ("POST", 0) not in gate.seen:
            gate.lost = [("POST", None)]

    gate.meanwhile = lose
    assert store.write("objects/big", bytes(12 * MIB)) and not store.write("objects/big", bytes(12 * MIB))
    assert ("POST", 0) in gate.seen


@pytest.mark.system
def test_an_object_of_a_hundred_megabytes_is_one_request(gate: Gateway, s3_lake: str) -> None:
    gate.body, store = without_condition, Store(s3_lake)
    data = bytes(101 * MIB)
    assert store.write("objects/big", data) and not store.write("objects/big", data)
    assert [answer for answer in gate.seen if answer[0] != "HEAD"] == [("PUT", 200), ("PUT", 412)]


@pytest.mark.parametrize("answer", [None, 500, 503, 409])
def test_who_loses_the_answer_to_its_own_write_has_written_it(gate: Gateway, s3_lake: str, answer: int | None) -> None:
    gate.body, store = without_condition, Store(s3_lake)
    gate.lost = [("PUT", answer)]
    assert store.write("pins/a", b"one") and not store.write("pins/a", b"one")
    again = [] if answer == 409 else [("PUT", 412)]
    assert gate.seen == [("PUT", answer or 0), *again, ("HEAD", 200), ("PUT", 412), ("HEAD", 200)]


def test_a_conflict_is_looked_into_and_the_write_is_tried_again(gate: Gateway, s3_lake: str) -> None:
    store = Store(s3_lake)
    gate.refused = [("PUT", 409)]
    assert store.write("pins/a", b"one")
    gate.refused = [("PUT", 409)]
    assert not store.write("pins/a", b"two")
    assert store.read("pins/a") == b"one"


@pytest.mark.early
def test_a_busy_server_is_asked_again_whatever_its_words(gate: Gateway, s3_lake: str) -> None:
    store = Store(s3_lake)
    gate.refused = [("PUT", 503), ("PUT", 500), ("PUT", 429), ("GET", 503), ("GET", 502), ("HEAD", 503)]
    assert store.write("pins/a", b"one") and store.read("pins/a") == b"one" and not store.write("pins/a", b"two")
    assert gate.refused == []


@pytest.mark.early
@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        (412, "its server does not answer as S3 does; give another store, or ask its operator"),
        (500, "run again when the server has recovered"),
        (
            403,
            "check the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), and that they may read, list and write",
        ),
        (404, "check its url and AWS_ENDPOINT_URL"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_with_the_status(
    gate: Gateway, s3_lake: str, status: int, way_out: str
) -> None:
    store = Store(s3_lake)
    gate.refused = [("PUT", status)] * 50
    with pytest.raises(BadInput, match=rf"cannot be used: .* \(HTTP {status}\); {re.escape(way_out)}$"):
        store.write("pins/a", b"one")
    assert gate.seen.count(("PUT", status)) == (1 if status < 409 else TRIES)
    gate.refused = [("GET", 403)]
    with pytest.raises(BadInput, match=r"\(HTTP 403\); check the keys"):
        store.read("pins/a")
