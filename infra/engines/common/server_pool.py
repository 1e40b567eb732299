"""Several servers of one model: the least busy living one is asked, a dead one is taken out and tried again later.

What fails is told apart: a row that a server cannot answer while others are answered is quarantined after its attempts.
An outage, in which nobody is answered, costs no row an attempt; when it has lasted too long the run stops.
"""

import time
from urllib.parse import urlsplit

from infra.engines.common.request_window import Passing
from schemas.errors import EngineError

PROBE, PROBE_LONGEST = 1.0, 30.0
"""Seconds until a server that was lost is tried again; doubled each time, at most to 30."""
IN_A_ROW = 5
"""Failures of one server without a success between them, after which the others are preferred."""
OUTAGE = 8
"""Different rows that failed since the last success, from which it is no longer a matter of rows."""
ALIKE = 20
"""Requests refused before the first one was answered, from which it is a matter of the configuration."""


class Server:
    """One base url: how busy it is, and until when it counts as dead."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.flying, self.failures = 0, 0
        self.down, self.probing = False, False
        self.dead_until, self.rest = 0.0, PROBE


class Servers:
    """All servers of an engine."""

    def __init__(self, urls: tuple[str, ...], patience: float) -> None:
        """`patience`: seconds without any answer after which nobody is asked any more."""
        self.all, self.patience = [Server(url) for url in urls], patience
        self.lost_since: float | None = None
        self.failing: set[str] = set()
        self.failing_since = 0.0
        self.answers, self.refusals = 0, 0

    def pick(self) -> Server:
        """The least busy living server; a dead one when its time has come, by one request at a time."""
        now = time.monotonic()
        fit = [s for s in self.all if not s.down or (s.dead_until <= now and not s.probing)]
        if not fit:
            self._give_up(self.lost_since, "no server can be reached")
            raise Passing("unreachable", "no server can be reached", after=0.2, free=True)
        server = min(fit, key=lambda s: s.flying)
        server.probing = server.down
        server.flying += 1
        return server

    def lost(self, server: Server, error: str) -> Passing:
        """It could not be reached; the attempt costs nothing, for nobody was there."""
        now = time.monotonic()
        server.down, server.dead_until = True, now + server.rest
        server.rest = min(PROBE_LONGEST, server.rest * 2)
        if all(s.down for s in self.all):
            self.lost_since = now if self.lost_since is None else self.lost_since
            self._give_up(self.lost_since, error)
        return Passing("unreachable", error, free=True)

    def failed(self, server: Server, row: str, passing: Passing) -> Passing:
        """It answered, and not with a reply. In an outage the attempt is free."""
        now = time.monotonic()
        server.failures += 1
        if server.failures >= IN_A_ROW and len(self.all) > 1 and not server.down:
            self.lost(server, passing.error)
        if not self.failing:
            self.failing_since = now
        self.failing.add(row)
        if len(self.failing) >= OUTAGE:
            self._give_up(self.failing_since, passing.error)
            passing.free = True
        return passing

    def answered(self, server: Server) -> None:
        """It gave a reply."""
        self.answers += 1
        self.failing.clear()
        self.alive(server)

    def refused(self, server: Server, error: str) -> None:
        """It turned a request down for good; raises `EngineError` where it has never done anything else."""
        self.alive(server)
        self.refusals += 1
        if not self.answers and self.refusals >= ALIKE:
            raise EngineError(f"the first {ALIKE} requests were all refused, the last with {error}; check the profile")

    def alive(self, server: Server) -> None:
        """It can be reached."""
        server.down, server.failures, server.rest = False, 0, PROBE
        self.lost_since = None

    def _give_up(self, since: float | None, error: str) -> None:
        """Stop the run where it has lasted too long; the rows are not at fault."""
        if since is not None and time.monotonic() - since > self.patience:
            hosts = ", ".join(urlsplit(server.url).netloc for server in self.all)
            raise EngineError(
                f"no server answers at {hosts} ({error}); what was answered is kept, the same command continues"
            )
