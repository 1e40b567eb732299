"""Counts what a stub server was asked and what it answered, by body: what was paid for twice shows here."""

import json
import time
from collections import Counter
from hashlib import sha256
from typing import Any

from schemas.identity import Frozen

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Counts(Frozen):
    """What happened at a stub server since it started, or since its last reset."""

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


class Asked:
    """One body: how often it was asked and answered. `key` names its meaning, once that is known."""

    __slots__ = ("answered", "asked", "key")

    def __init__(self) -> None:
        self.asked = self.answered = 0
        self.key = b""


class Tally:
    """The running counts of one server; every step takes the same time, however many bodies there are.

    A body costs some 300 bytes of memory. Not safe between threads.
    """

    def __init__(self) -> None:
        self.requests = self.answered = self.answered_twice = 0
        self.in_flight = self.most_in_flight = self.serving = self.most_served = 0
        self.by_status: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.times_asked: Counter[int] = Counter()
        self.first_request: float | None = None
        self.last_reply: float | None = None
        self._bodies: dict[bytes, Asked] = {}
        self._seeded: set[bytes] = set()

    def enter(self, path: str, raw: bytes) -> Asked:
        """A request came; every one that enters must `leave`."""
        if self.first_request is None:
            self.first_request = time.monotonic()
        name = sha256(path.encode() + b" " + raw).digest()
        asked = self._bodies.get(name)
        if asked is None:
            asked = self._bodies[name] = Asked()
        else:
            self.times_asked[asked.asked] -= 1
        asked.asked += 1
        self.times_asked[asked.asked] += 1
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return asked

    def understood(self, asked: Asked, body: dict[str, Any]) -> bytes:
        """The sha256 of the body's meaning and its seed, which is the `key` of all that is drawn for it."""
        if not asked.key:
            rest = {name: value for name, value in body.items() if name != "seed"}
            asked.key = sha256(CANONICAL.encode([rest, body.get("seed")]).encode()).digest()
            self._seeded.add(asked.key)
        return asked.key

    def serve(self) -> None:
        """A request has got its turn; it must be `served`."""
        self.serving += 1
        self.most_served = max(self.most_served, self.serving)

    def served(self) -> None:
        """Its turn is over."""
        self.serving -= 1

    def answer(self, asked: Asked) -> None:
        """The last byte of a completion was sent."""
        self.answered += 1
        self.answered_twice += asked.answered > 0
        asked.answered += 1
        self.last_reply = time.monotonic()

    def leave(self) -> None:
        """A request is over, whatever came of it."""
        self.in_flight -= 1

    def counts(self) -> Counts:
        """As they are now."""
        times = {often: bodies for often, bodies in sorted(self.times_asked.items()) if bodies}
        return Counts(
            requests=self.requests,
            answered=self.answered,
            by_status=dict(sorted(self.by_status.items())),
            faults=dict(sorted(self.faults.items())),
            bodies=len(self._bodies),
            seeded=len(self._seeded),
            asked_more_than_once=sum(bodies for often, bodies in times.items() if often > 1),
            times_asked=times,
            answered_more_than_once=self.answered_twice,
            in_flight=self.in_flight,
            most_in_flight=self.most_in_flight,
            most_served=self.most_served,
            first_request=self.first_request,
            last_reply=self.last_reply,
        )
