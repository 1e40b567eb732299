"""Counts the requests and answers of a mock server by request body, so that work paid for twice shows."""

import json
import time
from collections import Counter
from hashlib import sha256
from typing import Any

from schemas.identity import FrozenModel

CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class CounterSnapshot(FrozenModel):
    """Counts of a mock server since it started, or since its last reset."""

    requests: int
    """Requests for completions, whatever their outcome."""
    answered: int
    """Completions sent to their last byte, without errors and faulty replies."""
    by_status: dict[int, int]
    """Number of replies by status; a request without a reply (it hung, or its client left) is not counted."""
    faults: dict[str, int]
    """Number of injected faults by name; see `FAULTS` in `infra.mock_server.behaviour`."""
    bodies: int
    """Number of different request bodies."""
    seeded: int
    """Number of different bodies, seed included, by meaning rather than by the way the JSON is written."""
    asked_more_than_once: int
    """Number of bodies that were sent more than once."""
    times_asked: dict[int, int]
    """Number of bodies by how often they were sent."""
    answered_more_than_once: int
    """Superfluous completions: the answers beyond the first, summed over all bodies."""
    in_flight: int
    """Requests that arrived and were neither answered nor given up, including those that wait."""
    most_in_flight: int
    """Largest value of `in_flight` so far."""
    most_served: int
    """Most requests served at once, without those that wait; never above the capacity."""
    first_request: float | None
    """Arrival of the first request, in seconds of the monotonic clock; None if there was none."""
    last_reply: float | None
    """Time when the last byte of the last completion was sent, in seconds of the monotonic clock; None if none was."""


class BodyRecord:
    """Counts how often one body was sent and answered; `key` is the digest of its meaning, empty until known."""

    __slots__ = ("key", "times_answered", "times_asked")

    def __init__(self) -> None:
        self.times_asked = self.times_answered = 0
        self.key = b""


class Counters:
    """The running counts of one server; every update takes constant time, however many bodies there are.

    A body takes about 300 bytes of memory. Not thread-safe.
    """

    def __init__(self) -> None:
        self.requests = self.answered = self.extra_answers = 0
        self.in_flight = self.most_in_flight = self.serving = self.most_served = 0
        self.by_status: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.times_asked: Counter[int] = Counter()
        self.first_request: float | None = None
        self.last_reply: float | None = None
        self._bodies: dict[bytes, BodyRecord] = {}
        self._seeded_keys: set[bytes] = set()

    def open_request(self, path: str, raw: bytes) -> BodyRecord:
        """Count a new request and return the record of its body; `close_request` must follow."""
        if self.first_request is None:
            self.first_request = time.monotonic()
        name = sha256(path.encode() + b" " + raw).digest()
        record = self._bodies.get(name)
        if record is None:
            record = self._bodies[name] = BodyRecord()
        else:
            self.times_asked[record.times_asked] -= 1
        record.times_asked += 1
        self.times_asked[record.times_asked] += 1
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return record

    def identify_body(self, record: BodyRecord, body: dict[str, Any]) -> bytes:
        """Return the sha256 of the body's meaning and seed: the `key` of all random draws for this body."""
        if not record.key:
            rest = {name: value for name, value in body.items() if name != "seed"}
            record.key = sha256(CANONICAL_ENCODER.encode([rest, body.get("seed")]).encode()).digest()
            self._seeded_keys.add(record.key)
        return record.key

    def start_serving(self) -> None:
        """Count a request as being served; `stop_serving` must follow."""
        self.serving += 1
        self.most_served = max(self.most_served, self.serving)

    def stop_serving(self) -> None:
        """Count one request less as being served."""
        self.serving -= 1

    def record_answer(self, record: BodyRecord) -> None:
        """Count a completion whose last byte was sent."""
        self.answered += 1
        self.extra_answers += record.times_answered > 0
        record.times_answered += 1
        self.last_reply = time.monotonic()

    def close_request(self) -> None:
        """Count one request less in flight, whatever its outcome."""
        self.in_flight -= 1

    def snapshot(self) -> CounterSnapshot:
        """Return the counts as they are now."""
        times = {often: bodies for often, bodies in sorted(self.times_asked.items()) if bodies}
        return CounterSnapshot(
            requests=self.requests,
            answered=self.answered,
            by_status=dict(sorted(self.by_status.items())),
            faults=dict(sorted(self.faults.items())),
            bodies=len(self._bodies),
            seeded=len(self._seeded_keys),
            asked_more_than_once=sum(bodies for often, bodies in times.items() if often > 1),
            times_asked=times,
            answered_more_than_once=self.extra_answers,
            in_flight=self.in_flight,
            most_in_flight=self.most_in_flight,
            most_served=self.most_served,
            first_request=self.first_request,
            last_reply=self.last_reply,
        )
