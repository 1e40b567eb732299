"""Questions from templates with other names and numbers, a fifth of them near-copies, and the flow that drops those."""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, ClassVar

import pyarrow as pa
from prefect import flow

from flows.run.dask_runner import dask_runner
from flows.run.run import Run
from infra.cluster.step_execution import StepExecution
from schemas.arrow import required
from schemas.identity import FrozenModel
from schemas.outcomes import Row
from schemas.steps import Stage
from tasks.dedup.near import DropNearDuplicates
from tests.bench.support.deduplicate_questions import SHARD_ROWS, Found

COPIES, WITHOUT_NUMBERS = 0.2, 0.02
"""Share of near-copies, and of questions that have no number, so that all of them are compared with one another."""
NAMES = "Ann Bo Carl Dora Emil Fay Gus Hana Ivan Jo Kim Lars Mona Ned Olga Pia Quinn Rosa Sam Tess Uma Vera Will Zoe"
THINGS = "marbles pens books coins stamps shells cards eggs apples pears nails beads stickers tickets bottles bricks"
PLACES = "box shop garden school barn kitchen drawer library station market cellar tent boat office attic museum"
WORDS = "angle circle curve figure graph group line matrix point polygon prism root series set square triangle vector"
VERBS = "carries paints sells stacks counts sorts mends hides buries borrows polishes collects packs trades weighs"
TEMPLATES = (
    "{A} has {n} {x} in a {p} and {B} has {m} {x}. {A} {v} {k} of them. How many {x} do they have together in the {p}?",
    "A {p} holds {n} rows of {m} {x}. {A} {v} {k} of the {x} on Monday and {j} on Tuesday. How many {x} are left?",
    "{A} {v} {n} {x} for {m} dollars each in the {p}, and pays {k} dollars for the way. What does {A} pay in all?",
    "Every day {A} {v} {n} {x} and {B} {v} {m} {x} in the {p}. How many {x} is that after {k} days and {j} nights?",
)
WITHOUT_NUMBER = "Prove that the {a} of each {b} in a {c} is a {d}, and explain how the {e} of its {f} follows from it."


class WriteTemplateQuestions(Stage):
    """Writes a question for each blank row; equal row numbers have equal questions."""

    table: ClassVar[pa.Schema] = pa.schema([required("row_id", pa.string()), required("question", pa.string())])

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        for row in batch:
            yield {"row_id": row["row_id"], "question": write_question(row["number"])}


def write_question(number: int) -> str:
    """The question of a row. A near-copy is that of an earlier row with one word exchanged, dropped or added."""
    rng = Random(number)
    if number and rng.random() < COPIES:
        words = write_original(rng.randrange(number)).split()
        place = rng.choice([n for n, word in enumerate(words) if word.isalpha()])
        words[place : place + 1] = rng.choice([["some"], [], [words[place], "then"]])
        return " ".join(words)
    return write_original(number)


def write_original(number: int) -> str:
    """A question that is no copy, drawn with the seed `number`."""
    rng = Random(f"original {number}")
    if rng.random() < WITHOUT_NUMBERS:
        return WITHOUT_NUMBER.format(**dict(zip("abcdef", rng.choices(WORDS.split(), k=6), strict=True)))
    texts = {"A": NAMES, "B": NAMES, "x": THINGS, "p": PLACES, "v": VERBS}
    chosen = {name: rng.choice(words.split()) for name, words in texts.items()}
    return rng.choice(TEMPLATES).format(**chosen, **{name: rng.randint(2, 99) for name in "nmkj"})


class Deduplication(FrozenModel):
    """How many questions are written, and how their near-duplicates are dropped."""

    rows: int
    write: WriteTemplateQuestions = WriteTemplateQuestions()
    drop: DropNearDuplicates


@flow(name="deduplication", task_runner=dask_runner)
def deduplicate(recipe: Deduplication) -> Found:
    """Write the questions, and drop their near-duplicates."""
    run = Run.open(recipe)
    written = run.map(recipe.write, run.empty_rows(recipe.rows, SHARD_ROWS))
    writing = written.shards[0].origin
    assert isinstance(writing, StepExecution)
    writing.result_list()
    started = time.monotonic()
    receipt = run.merge(recipe.drop, written, shard_rows=SHARD_ROWS).shards[0].committed
    seconds = time.monotonic() - started
    assert receipt is not None
    return Found(parts=receipt.parts, rejected=receipt.rejected, seconds=seconds)
