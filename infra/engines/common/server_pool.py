"""Spreads requests over several servers of one model: the least busy one is picked, dead ones are retried later.

Two kinds of failure are told apart. A row that fails while others are answered is quarantined after its attempts. An
outage, in which no row is answered, counts as no row's attempt; if it lasts too long, the run stops.
"""

import time
from urllib.parse import urlsplit, urlunsplit

from infra.engines.common.request_window import RetryableError
from schemas.errors import EngineError

FIRST_PROBE_SECONDS, MAX_PROBE_SECONDS = 1.0, 30.0
"""Seconds until a lost server is tried again; doubled after each failure, up to 30."""
FAILURES_BEFORE_AVOIDED = 5
"""Consecutive failures of one server after which the others are preferred."""
OUTAGE_ROWS = 8
"""Different rows that must fail without a success in between before the failure counts as an outage."""
MISCONFIGURED_AFTER = 20
"""Requests refused, without any answered, after which the configuration is taken to be wrong; and rows whose replies
cannot be read, without one in between that can, after which the server is."""


class Server:
    """One server, by base URL: how busy it is, and until when it counts as dead."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.in_flight, self.failures = 0, 0
        self.is_down, self.is_probing = False, False
        self.retry_at, self.probe_delay = 0.0, FIRST_PROBE_SECONDS
        self.lacks: set[str] = set()
        """Fields that it refused, and without which requests are sent to it."""

    @property
    def name(self) -> str:
        """Its url without a query, for messages."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


class ServerPool:
    """All servers of one engine, and what is known of an outage."""

    def __init__(self, urls: tuple[str, ...], outage_seconds: float) -> None:
        """`outage_seconds`: seconds without any answer after which the run stops."""
        self.servers, self.outage_seconds = [Server(url) for url in urls], outage_seconds
        self.unreachable_since: float | None = None
        self.failing_rows: set[str] = set()
        self.failing_since = 0.0
        self.answer_count, self.refusal_count = 0, 0
        self.unreachable_error = "no server can be reached"

    def lacks(self, field: str) -> bool:
        """Whether one of the servers refused `field`."""
        return any(field in server.lacks for server in self.servers)

    def pick(self) -> Server:
        """Return the least busy server; a dead one is included when its retry is due, for one request at a time."""
        now = time.monotonic()
        candidates = [s for s in self.servers if not s.is_down or (s.retry_at <= now and not s.is_probing)]
        if not candidates:
            self._check_outage(self.unreachable_since, self.unreachable_error)
            raise RetryableError("unreachable", self.unreachable_error, retry_after=0.2, not_counted=True)
        server = min(candidates, key=lambda s: s.in_flight)
        server.is_probing = server.is_down
        server.in_flight += 1
        return server

    def mark_unreachable(self, server: Server, error: str) -> RetryableError:
        """Note that no connection was made; this does not count as an attempt, because no server was reached."""
        now, self.unreachable_error = time.monotonic(), error
        server.is_down, server.retry_at = True, now + server.probe_delay
        server.probe_delay = min(MAX_PROBE_SECONDS, server.probe_delay * 2)
        if all(s.is_down for s in self.servers):
            self.unreachable_since = now if self.unreachable_since is None else self.unreachable_since
            self._check_outage(self.unreachable_since, error)
        return RetryableError("unreachable", error, not_counted=True)

    def mark_failed(self, server: Server, row_id: str, error: RetryableError) -> RetryableError:
        """Note that the server failed to give a reply. During an outage this does not count as an attempt.

        Replies that were paid for and cannot be read are no outage to wait for: raises `EngineError` after 20 rows.
        """
        now = time.monotonic()
        server.failures += 1
        if server.failures >= FAILURES_BEFORE_AVOIDED and len(self.servers) > 1 and not server.is_down:
            self.mark_unreachable(server, error.error)
        if not self.failing_rows:
            self.failing_since = now
        self.failing_rows.add(row_id)
        if error.is_paid:
            if len(self.failing_rows) >= MISCONFIGURED_AFTER:
                raise EngineError(
                    f"{MISCONFIGURED_AFTER} rows in a row got a reply that cannot be read, the last: {error.error}; "
                    f"check that {server.name} implements the OpenAI API, then the same command continues"
                )
        elif len(self.failing_rows) >= OUTAGE_ROWS:
            self._check_outage(self.failing_since, error.error)
            error.not_counted = True
        return error

    def mark_success(self, server: Server) -> None:
        """Note that the server gave a reply."""
        self.answer_count += 1
        self.failing_rows.clear()
        self.mark_up(server)

    def mark_refused(self, server: Server, error: str, verb: str = "refused") -> None:
        """Note that a request was refused for good; raises `EngineError` if the first 20 of all were.

        `verb` says what else was done to them.
        """
        self.mark_up(server)
        self.refusal_count += 1
        if not self.answer_count and self.refusal_count >= MISCONFIGURED_AFTER:
            raise EngineError(
                f"the first {MISCONFIGURED_AFTER} requests were all {verb}, the last with {error}; check the profile"
            )

    def mark_up(self, server: Server) -> None:
        """Note that the server can be reached."""
        server.is_down, server.failures, server.probe_delay = False, 0, FIRST_PROBE_SECONDS
        self.unreachable_since = None

    def _check_outage(self, since: float | None, error: str) -> None:
        """Raise `EngineError` if the outage has lasted too long: the rows are not at fault."""
        if since is not None and time.monotonic() - since > self.outage_seconds:
            names = ", ".join(server.name for server in self.servers)
            raise EngineError(
                f"no server answers at {names} ({error}); replies so far are kept, and the same command continues"
            )
