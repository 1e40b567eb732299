"""The task of Prefect's that stands for one step of a run: it follows the step's shards and ends as they do."""

import time
from typing import cast
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed

from flows.run.progress import StepProgress
from flows.run.timings import TIMINGS
from infra.cluster.step_execution import RunEnded, StepExecution

REPORT_SECONDS = 5.0
"""Seconds between two reports to Prefect, of which each costs its server some 20 ms. Shorter steps report their end."""


class FollowedStep:
    """Hides a step from Prefect, which would look through all of its shards for futures of its own."""

    def __init__(self, step: StepExecution) -> None:
        self.step = step


def follow_step(followed: FollowedStep) -> State[None]:
    """Wait until the step has ended, and report its progress; raises the error of its first shard that failed."""
    step, logger, began = followed.step, get_run_logger(), time.time()
    progress, artifact = StepProgress(step), None
    while not step.wait(REPORT_SECONDS):
        logger.info(progress.format_line())
        artifact = _report_share(progress, artifact)
    TIMINGS.record(step.name, began)
    if artifact is not None:
        _report_share(progress, artifact)
    if isinstance(step.error, RunEnded):
        return Cancelled(message=str(step.error))
    if step.error is not None:
        raise step.error
    logger.info(progress.format_line())
    return Completed(message=progress.format_line())


def _report_share(progress: StepProgress, artifact: UUID | None) -> UUID:
    """Show the share of rows that are done as a bar in Prefect; returns the id of the bar."""
    share, line = progress.percent_done, progress.format_line()
    if artifact is not None:
        update_progress_artifact(artifact, share, line)
        return artifact
    return cast(UUID, create_progress_artifact(share, description=f"{progress.step.name}: {line}"))


# Receipts are the only cache: Prefect's own would outlive a deleted lake.
STEP_TASK = task(name="step", cache_policy=NO_CACHE, persist_result=False)(follow_step)
"""The task. Its run is named after the step."""
