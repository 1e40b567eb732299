"""Wraps an engine for one shard: reuses journaled replies, journals new ones, and charges them to the budget."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from infra.cluster.budget import BudgetTracker
from infra.cluster.stall_watch import WATCH
from infra.engines.common.request_window import RequestWindow
from infra.lake.reply_journal import Journal
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.errors import BudgetSpent, QuestmillError
from schemas.identity import fingerprint
from schemas.prompts import Sampling
from schemas.receipts import Usage

MILLION = 1_000_000


class GpuMeter:
    """Divides the GPU time of this process among the shards that use it at the same time."""

    def __init__(self) -> None:
        self.lock, self.last_update, self.users = threading.Lock(), 0.0, dict[int, tuple[int, float]]()

    def start(self, user: int, gpus: int) -> None:
        """Start charging `user` for `gpus` GPUs, shared with the other users."""
        with self.lock:
            self._distribute()
            self.users[user] = (gpus, 0.0)

    def take_seconds(self, user: int) -> float:
        """Return the GPU seconds of `user` since `start` or since the last call."""
        with self.lock:
            self._distribute()
            gpus, seconds = self.users.get(user, (0, 0.0))
            if user in self.users:
                self.users[user] = (gpus, 0.0)
            return seconds

    def stop(self, user: int) -> float:
        """Stop charging `user`, and return its GPU seconds since the last call."""
        seconds = self.take_seconds(user)
        with self.lock:
            self.users.pop(user, None)
        return seconds

    def _distribute(self) -> None:
        now = time.monotonic()
        for user, (gpus, seconds) in self.users.items():
            self.users[user] = (gpus, seconds + gpus * (now - self.last_update) / len(self.users))
        self.last_update = now


GPU_METER = GpuMeter()


class JournaledEngine(RequestObserver):
    """`Generator` and `Scorer` for one shard, open inside `with`."""

    def __init__(self, engine: Any, spec: Any, journal: Journal, tracker: BudgetTracker) -> None:
        """`spec` is the spec of `engine`; it holds the prices."""
        self.engine, self.spec, self.journal, self.tracker = engine, spec, journal, tracker
        self.window: RequestWindow | None = getattr(engine, "window", None)
        self.replies: dict[str, dict[int, Completion]] = {}
        self.failures: dict[str, Failure] = {}
        self.keys_by_row: dict[str, set[str]] = {}
        """Reply keys of the requests about each row."""
        self.in_flight = 0
        """Requests that the budget has allowed and that are not answered yet."""
        self.model_fingerprint = fingerprint(spec)
        """Identifies the model in what is asked; see `schemas.identity.ask_fingerprint`."""
        self.usage = Usage()
        """What the rows of this shard have cost, including replies of earlier starts."""
        self.cut_off_by_sample: dict[tuple[str, int], bool] = {}
        """Whether a sample was cut off, for each that was passed on to the stage."""

    def __enter__(self) -> "JournaledEngine":
        """Wait until the engine can take another shard, then read the journal."""
        if self.window is not None:
            self.window.admit()
        try:
            self.replies = self.journal.read_replies()
        except BaseException:
            self._release_window()
            raise
        self.usage = sum((self._compute_usage(list(each.values())) for each in self.replies.values()), Usage())
        GPU_METER.start(id(self), getattr(self.spec, "gpus", 0))
        self.tracker.gpu_meters.add(self._charge_gpu_time)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release_window()
        self.tracker.gpu_meters.discard(self._charge_gpu_time)
        self._charge_gpu_seconds(GPU_METER.stop(id(self)))
        self.tracker.cancel(self.in_flight)
        try:
            self.tracker.checkpoint()
        finally:
            try:
                self.journal.close()
            except QuestmillError:
                if error is None:  # else it would hide the error that the shard failed with
                    raise

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`. Raises `BudgetSpent` after the last reply that the budget covers."""
        if (thought_tokens := getattr(self.spec, "thought_tokens", 0)) and sampling.thinking is not False:
            sampling = sampling.model_copy(update={"max_tokens": sampling.max_tokens + thought_tokens})
        self.tracker.set_estimate(sampling.max_tokens * sampling.n)
        yield from self._ask_missing(requests, lambda missing: self.engine.stream(missing, sampling, self))

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; journaled, charged and limited by the budget like `stream`."""
        yield from self._ask_missing(requests, lambda missing: self.engine.score(missing, self))

    def close(self) -> None:
        """Do nothing: other shards may use the engine."""

    def _ask_missing(
        self, requests: Sequence[Request], ask: Callable[[list[Request]], Iterator[tuple[Request, Reply]]]
    ) -> Iterator[tuple[Request, Reply]]:
        """Ask for the samples that have neither a reply nor a failure, and yield the replies to all requests."""
        requests_by_row = {request.reply_key: request for request in requests}
        for key, request in requests_by_row.items():
            self.keys_by_row.setdefault(request.row_id, set()).add(key)
        missing = [self._keep_unanswered(request) for request in requests if request.reply_key not in self.failures]
        missing = [request for request in missing if request.seeds]
        pending = {request.reply_key for request in missing}
        for row in [row for row in requests_by_row if row not in pending]:
            yield requests_by_row[row], self.failures.get(row) or self._get_reply(requests_by_row[row])
        for request, reply in ask(missing):
            WATCH.note_progress()
            pending.discard(request.reply_key)
            yield (
                requests_by_row[request.reply_key],
                reply if isinstance(reply, Failure) else self._get_reply(requests_by_row[request.reply_key]),
            )
        if pending:
            raise BudgetSpent(
                f"the budget is spent ({self.tracker.total_usage()}); {len(pending):,} rows of this shard have no reply"
            )

    def replies_about(self, row_id: str) -> list[dict[str, str | None]]:
        """What the model wrote about a row: text, thought and finish reason of each sample, in their order."""
        samples = [sample for key in self.keys_by_row.get(row_id, ()) for sample in self.replies.get(key, {}).items()]
        return [
            {"text": reply.text, "reasoning": reply.reasoning, "finish_reason": reply.finish_reason}
            for _, reply in sorted(samples, key=lambda sample: sample[0])
        ]

    def _release_window(self) -> None:
        if self.window is not None:
            self.window.release()

    def _charge_gpu_time(self) -> None:
        self._charge_gpu_seconds(GPU_METER.take_seconds(id(self)))

    def _charge_gpu_seconds(self, seconds: float) -> None:
        if seconds:
            usage = Usage(gpu_seconds=seconds)
            self.usage += usage
            self.tracker.record_usage(usage, 0)

    def may_send(self) -> bool | None:
        """See `RequestObserver`."""
        allowed = self.tracker.may_send()
        self.in_flight += bool(allowed)
        return allowed

    def on_reply(self, request: Request, reply: Reply) -> None:
        """See `RequestObserver`; charges the reply to the budget and journals it."""
        self.in_flight -= 1
        if isinstance(reply, Failure):
            self.failures[request.reply_key] = reply
            self.tracker.record_usage(Usage())
            return
        cost = self._compute_usage(reply)
        self.tracker.record_usage(cost)
        self.usage += cost
        samples = dict(zip(request.sample_indices(), reply, strict=True))
        self.journal.add(request.reply_key, samples)
        self.replies.setdefault(request.reply_key, {}).update(samples)

    def _keep_unanswered(self, request: Request) -> Request:
        """Return `request` with only the samples that have no reply yet."""
        replies = self.replies.get(request.reply_key, {})
        missing = [
            (j, seed) for j, seed in zip(request.sample_indices(), request.seeds, strict=True) if j not in replies
        ]
        return request._replace(seeds=tuple(seed for _, seed in missing), samples=tuple(j for j, _ in missing))

    def _get_reply(self, request: Request) -> list[Completion]:
        replies = self.replies[request.reply_key]
        for j in request.sample_indices():
            self.cut_off_by_sample[request.reply_key, j] = replies[j].fault == "cut_off"
        return [replies[j] for j in request.sample_indices()]

    def count_samples(self) -> dict[str, str]:
        """How many samples the stage was given, and how many of them were cut off, as details of its receipt."""
        flags = self.cut_off_by_sample.values()
        return {"samples": str(len(flags)), "cut_off": str(sum(flags))}

    def _compute_usage(self, replies: Sequence[Completion]) -> Usage:
        """Usage of some samples of one request."""
        prompt_tokens = sum(reply.prompt_tokens for reply in replies)
        completion_tokens = sum(reply.completion_tokens for reply in replies)
        estimated = sum(each.prompt_tokens + each.completion_tokens for each in replies if each.tokens_estimated)
        usd = prompt_tokens * self.spec.usd_per_million_in + completion_tokens * self.spec.usd_per_million_out
        return Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            estimated_tokens=estimated,
            usd=usd / MILLION,
        )
