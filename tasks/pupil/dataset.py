"""From lessons to arrays: the pupil's tokenizer, and every lesson encoded once, so that training only reads.

A number is read digit by digit. The blank before it belongs to the word before it ("has " and "has" are two tokens),
which saves a token per number.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from schemas.identity import Frozen
from tasks.answers.reward import JudgeAnswer
from tasks.answers.solve import Solve
from tasks.lemma.diagnose import Diagnose
from tasks.proving_ground.oracle import slot_words
from tasks.pupil.examples import CALCULATE, END, Lesson
from tasks.pupil.mixture import lesson, special_tokens

PIECES = r" ?\p{L}+(?: (?=\d))?|\d|\n| ?[^\s\p{L}\d]+(?: (?=\d))?|\s+"
QUESTION_WEIGHT = 2
"""Of the questions that lessons begin with: each one also teaches how a question is written, at no cost."""
SLOT_WEIGHT = 5
"""Of the names, nouns and colours of a question: half of all failed questions change one of them midway."""
REPLY_WEIGHT = 2
RESULT_WEIGHT = 6
"""Of what follows an equals sign in a reply: the words of a solution are learnt long before its numbers."""
VERDICT_WEIGHT = 12
"""Of the one token that is the reward; a lesson of 100 tokens would hardly teach it otherwise."""
DIAGNOSIS_WEIGHT = 6
"""Of a reply that says where a solution goes wrong: the first word of the line it copies has decided that already."""
LINE_WEIGHT = 6
"""Of the hidden verdict after each line of a solution to be judged or diagnosed."""
TRUE_WEIGHT = 2
"""Of the right lines of such a solution: who foresees them notices where a solution departs from them."""
ASKING = frozenset(("write_question", "rewrite_question"))
"""Stages whose reply is a question."""
RESULT = frozenset("0123456789./")
QUESTION, REPLY = "<question>", "<reply>"
TAGS = frozenset(special_tokens())
CHUNK = 2000


class Encoded(NamedTuple):
    """One lesson: `targets[i]` is to be predicted after `ids[i]`, and counts `weights[i]` times."""

    ids: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    weights: NDArray[np.uint8]


class LessonBook(Frozen):
    """What `make_lessons` wrote, kept beside the arrays as `lessons.json`."""

    lessons: int
    tokens: int
    trained: int
    """Tokens that count for the loss."""
    longest: int
    """Tokens of the longest lesson."""
    vocabulary: int
    start: int
    """Index of the first lesson."""
    own: int = 0
    """Lessons of the pupil's own work; the last ones."""


class Arrays(NamedTuple):
    """All lessons end to end; lesson i is the slice `offsets[i]:offsets[i + 1]`."""

    ids: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    weights: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def make_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE of at most `size` entries, in which tags and digits are tokens of their own."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=size,
        special_tokens=special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, taught: Lesson) -> Encoded:
    """Tag, inputs, reply and end token. The reply counts most, the question and the verdicts on lines count too."""
    prompt = tokenizer.encode(taught.prompt).ids
    reply = tokenizer.encode(taught.reply + END).ids
    ids = np.array(prompt + reply, np.uint16)
    tokens = [tokenizer.id_to_token(int(i)) for i in ids]
    targets, weights = np.append(ids[1:], np.uint16(0)), np.zeros(len(ids), np.uint8)
    drilled = f"<question>{CALCULATE}" in taught.prompt
    if QUESTION in tokens and not drilled:
        begin = tokens.index(QUESTION)
        end = next(i for i in range(begin + 1, len(tokens)) if tokens[i] in TAGS)
        weights[begin:end] = QUESTION_WEIGHT
        _mark_slots(tokens, begin, end, weights)
    if taught.verdicts:
        foreseen = not drilled or taught.stage == Diagnose.tag  # by a story, or by a reference
        _judge(tokenizer, tokens, taught, targets, weights, plain=TRUE_WEIGHT if foreseen else 0)
    said = weights[len(prompt) - 1 : -1]
    if taught.stage == JudgeAnswer.tag:
        said[:] = VERDICT_WEIGHT, REPLY_WEIGHT
    elif taught.stage == Diagnose.tag:
        said[:] = DIAGNOSIS_WEIGHT
    elif taught.stage in ASKING:
        said[:] = REPLY_WEIGHT
        _mark_slots(tokens, len(prompt) - 1, len(tokens) - 1, weights)
    else:
        blind = drilled and taught.stage == Solve.tag  # nothing tells what is to be calculated
        said[:] = 0 if blind else REPLY_WEIGHT
        _mark_results(tokens, len(prompt), len(tokens) - 1, weights, RESULT_WEIGHT, REPLY_WEIGHT)
    return Encoded(ids, targets, weights)


def _mark_slots(tokens: list[str], begin: int, end: int, weights: NDArray[np.uint8]) -> None:
    """Words that a slot of a template writes count `SLOT_WEIGHT` times."""
    words = slot_words()
    for at in range(begin, end):
        if tokens[at + 1].strip("\u0120").lower() in words:
            weights[at] = SLOT_WEIGHT


def _mark_results(
    tokens: list[str], begin: int, end: int, weights: NDArray[np.uint8], result: int, ending: int
) -> None:
    """Numbers after an equals sign count `result` times, the token after them, which ends them, `ending` times."""
    inside = False
    for at in range(begin, end):
        inside = inside or "=" in tokens[at]
        if inside:
            inside = tokens[at + 1] in RESULT
            weights[at] = result if inside else ending


def _judge(
    tokenizer: Tokenizer,
    tokens: list[str],
    taught: Lesson,
    targets: NDArray[np.uint16],
    weights: NDArray[np.uint8],
    plain: int,
) -> None:
    """After each line of the solution predict whether it is right: it shows *where* a solution errs.

    The right lines are foreseen as well, `plain` times, their results `TRUE_WEIGHT` times; wrong ones never.
    """
    yes, no, newline = (tokenizer.encode(word).ids[0] for word in ("yes", "no", "\n"))
    ends = (tokenizer.id_to_token(newline), REPLY)
    begin = max(at for at in range(tokens.index(REPLY)) if tokens[at] in TAGS)
    for right in taught.verdicts:
        end = next(i for i in range(begin + 1, len(tokens)) if tokens[i] in ends)
        if right:
            weights[begin + 1 : end] = plain
            _mark_results(tokens, begin + 1, end, weights, TRUE_WEIGHT, TRUE_WEIGHT)
        if tokens[end] != REPLY:  # where the verdict on the whole is
            targets[end], weights[end] = (yes if right else no), LINE_WEIGHT
        begin = end


def make_lessons(
    folder: Path,
    count: int,
    *,
    vocabulary: int = 1400,
    start: int = 0,
    processes: int = 2,
    own: Sequence[Lesson] = (),
    stress: Mapping[str, float] | None = None,
    spelling: Path | None = None,
) -> LessonBook:
    """Write `count` encoded lessons and their tokenizer to `folder`; does nothing when they are there already.

    `own`: more lessons, of the pupil's own doing (`self_training`); those that are longer than all others are left out.
    `stress`: by how much the share of a kind of lesson is raised (`tasks.pupil.mixture.shares`).
    `spelling`: file of the tokenizer to keep, if it knows every tag; else one is made of these lessons.
    """
    path = folder / "lessons.json"
    if path.is_file():
        book = LessonBook.model_validate_json(path.read_text())
        if (book.lessons - book.own, book.start) == (count, start):
            return book
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [range(i, min(i + CHUNK, start + count)) for i in range(start, start + count, CHUNK)]
    with _mapping(processes) as run:
        tokenizer = _kept(spelling)
        if tokenizer is None:
            texts = (text for some in run(partial(_texts, stress), chunks[:8]) for text in some)
            tokenizer = make_tokenizer(texts, vocabulary)
        tokenizer.save(str(folder / "tokenizer.json"))
        encoded = [e for es in run(partial(_encode_chunk, str(folder / "tokenizer.json"), stress), chunks) for e in es]
    longest = max(len(e.ids) for e in encoded)
    extra = [e for e in (encode(tokenizer, taught) for taught in own) if len(e.ids) <= longest]
    encoded += extra
    lengths = np.array([0, *(len(e.ids) for e in encoded)])
    np.save(folder / "ids.npy", np.concatenate([e.ids for e in encoded]))
    np.save(folder / "targets.npy", np.concatenate([e.targets for e in encoded]))
    np.save(folder / "weights.npy", np.concatenate([e.weights for e in encoded]))
    np.save(folder / "offsets.npy", np.cumsum(lengths))
    trained = sum(int((e.weights > 0).sum()) for e in encoded)
    book = LessonBook(
        lessons=count + len(extra),
        own=len(extra),
        tokens=int(lengths.sum()),
        trained=trained,
        longest=int(lengths.max()),
        vocabulary=tokenizer.get_vocab_size(),
        start=start,
    )
    path.write_text(json.dumps(book.model_dump(), indent=2) + "\n")
    return book


def open_lessons(folder: Path) -> Arrays:
    """The arrays that `make_lessons` wrote. Raises ValueError when there are none."""
    if not (folder / "lessons.json").is_file():
        raise ValueError(f"no lessons in {folder}; write them with make_lessons first")
    loaded: list[Any] = [np.load(folder / f"{name}.npy") for name in Arrays._fields]
    return Arrays(*loaded)


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """`map`, over processes where there are to be several."""
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _kept(spelling: Path | None) -> Tokenizer | None:
    tokenizer = Tokenizer.from_file(str(spelling)) if spelling and spelling.is_file() else None
    return tokenizer if tokenizer and tokenizer.get_vocab().keys() >= TAGS else None


def _texts(stress: Mapping[str, float] | None, indices: range) -> list[str]:
    return [text for i in indices for text in (lambda it: (it.prompt, it.reply))(lesson(i, stress))]


def _encode_chunk(tokenizer_path: str, stress: Mapping[str, float] | None, indices: range) -> list[Encoded]:
    tokenizer = Tokenizer.from_file(tokenizer_path)
    return [encode(tokenizer, lesson(i, stress)) for i in indices]
