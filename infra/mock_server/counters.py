"""Counts what a mock server was asked and what it answered, by body: what was paid for twice shows here."""

import json
import time
from collections import Counter
from hashlib import sha256
from typing import Any

from schemas.identity import FrozenModel

CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class CounterSnapshot(FrozenModel):
    """What happened at a mock server since it started, or since its last reset."""

    requests: int
    """Requests for completions, of any outcome."""
    answered: int
    """Completions whose last byte was sent: no errors, nothing that broke."""
    by_status: dict[int, int]
    """Replies by their status; a request that got none (hung, or its client left) is in none."""
    faults: dict[str, int]
    """Faults that were made to happen, by name: `too_many`, `fails`, `cut`, `wrong_json`, `hangs`, `drips`."""
    bodies: int
    """Different bodies."""
    seeded: int
    """Different pairs of a body without its seed and the seed, however the JSON was written."""
    asked_more_than_once: int
    """Bodies that were."""
    times_asked: dict[int, int]
    """Bodies by how often they were asked."""
    answered_more_than_once: int
    """Completions too many: over the bodies that were answered, the sum of their answers less one each."""
    in_flight: int
    """Requests that came and have neither been answered nor given up, waiting ones included."""
    most_in_flight: int
    most_served: int
    """Most requests that were served at once, waiting ones left out; never above the capacity."""
    first_request: float | None
    """Seconds of this machine's monotonic clock when the first request had come."""
    last_reply: float | None
    """Seconds of the same clock when the last byte of the last completion was sent."""


class BodyRecord:
    """One body: how often it was asked and answered. `key` names its meaning, once that is known."""

    __slots__ = ("key", "times_answered", "times_asked")

    def __init__(self) -> None:
        self.times_asked = self.times_answered = 0
        self.key = b""


class Counters:
    """The running counts of one server; every step takes the same time, however many bodies there are.

    A body costs some 300 bytes of memory. Not safe between threads.
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
        """A request came; every one that enters must `close_request`."""
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
        """The sha256 of the body's meaning and its seed, which is the `key` of all that is drawn for it."""
        if not record.key:
            rest = {name: value for name, value in body.items() if name != "seed"}
            record.key = sha256(CANONICAL_ENCODER.encode([rest, body.get("seed")]).encode()).digest()
            self._seeded_keys.add(record.key)
        return record.key

    def start_serving(self) -> None:
        """A request has got its turn; it must be `stop_serving`."""
        self.serving += 1
        self.most_served = max(self.most_served, self.serving)

    def stop_serving(self) -> None:
        """Its turn is over."""
        self.serving -= 1

    def record_answer(self, record: BodyRecord) -> None:
        """The last byte of a completion was sent."""
        self.answered += 1
        self.extra_answers += record.times_answered > 0
        record.times_answered += 1
        self.last_reply = time.monotonic()

    def close_request(self) -> None:
        """A request is over, whatever came of it."""
        self.in_flight -= 1

    def snapshot(self) -> CounterSnapshot:
        """As they are now."""
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
