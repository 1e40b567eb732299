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

from schemas.identity import FrozenModel
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.lemma.diagnose import Diagnose
from tasks.proving_ground.oracle import slot_words
from tasks.pupil.examples import DRILL_QUESTION, END_TOKEN, Example
from tasks.pupil.mixture import list_special_tokens, make_example

TOKEN_PATTERN = r" ?\p{L}+(?: (?=\d))?|\d|\n| ?[^\s\p{L}\d]+(?: (?=\d))?|\s+"
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
LINE_VERDICT_WEIGHT = 6
"""Of the hidden verdict after each line of a solution to be judged or diagnosed."""
RIGHT_LINE_WEIGHT = 2
"""Of the right lines of such a solution: who foresees them notices where a solution departs from them."""
QUESTION_STAGES = frozenset(("write_question", "rewrite_question"))
"""Stages whose reply is a question."""
RESULT_CHARACTERS = frozenset("0123456789./")
QUESTION_TAG, REPLY_TAG = "<question>", "<reply>"
TAGS = frozenset(list_special_tokens())
CHUNK_EXAMPLES = 2000


class EncodedExample(NamedTuple):
    """One lesson: `targets[i]` is to be predicted after `ids[i]`, and counts `weights[i]` times."""

    ids: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    weights: NDArray[np.uint8]


class DatasetInfo(FrozenModel):
    """What `write_dataset` wrote, kept beside the arrays as `lessons.json`."""

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


class PackedExamples(NamedTuple):
    """All lessons end to end; lesson i is the slice `offsets[i]:offsets[i + 1]`."""

    ids: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    weights: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def make_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE of at most `size` entries, in which tags and digits are tokens of their own."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(TOKEN_PATTERN), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=size,
        special_tokens=list_special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode_example(tokenizer: Tokenizer, example: Example) -> EncodedExample:
    """Tag, inputs, reply and end token. The reply counts most, the question and the verdicts on lines count too."""
    prompt = tokenizer.encode(example.prompt).ids
    reply = tokenizer.encode(example.reply + END_TOKEN).ids
    ids = np.array(prompt + reply, np.uint16)
    tokens = [tokenizer.id_to_token(int(i)) for i in ids]
    targets, weights = np.append(ids[1:], np.uint16(0)), np.zeros(len(ids), np.uint8)
    is_drill = f"<question>{DRILL_QUESTION}" in example.prompt
    if QUESTION_TAG in tokens and not is_drill:
        begin = tokens.index(QUESTION_TAG)
        end = next(i for i in range(begin + 1, len(tokens)) if tokens[i] in TAGS)
        weights[begin:end] = QUESTION_WEIGHT
        _mark_slots(tokens, begin, end, weights)
    if example.line_verdicts:
        is_predictable = not is_drill or example.stage == Diagnose.tag  # by a story, or by a reference
        _mark_line_verdicts(
            tokenizer, tokens, example, targets, weights, right_line_weight=RIGHT_LINE_WEIGHT if is_predictable else 0
        )
    reply_weights = weights[len(prompt) - 1 : -1]
    if example.stage == ScoreAnswer.tag:
        reply_weights[:] = VERDICT_WEIGHT, REPLY_WEIGHT
    elif example.stage == Diagnose.tag:
        reply_weights[:] = DIAGNOSIS_WEIGHT
    elif example.stage in QUESTION_STAGES:
        reply_weights[:] = REPLY_WEIGHT
        _mark_slots(tokens, len(prompt) - 1, len(tokens) - 1, weights)
    else:
        is_unpredictable = is_drill and example.stage == Solve.tag  # nothing tells what is to be calculated
        reply_weights[:] = 0 if is_unpredictable else REPLY_WEIGHT
        _mark_results(tokens, len(prompt), len(tokens) - 1, weights, RESULT_WEIGHT, REPLY_WEIGHT)
    return EncodedExample(ids, targets, weights)


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
            inside = tokens[at + 1] in RESULT_CHARACTERS
            weights[at] = result if inside else ending


def _mark_line_verdicts(
    tokenizer: Tokenizer,
    tokens: list[str],
    example: Example,
    targets: NDArray[np.uint16],
    weights: NDArray[np.uint8],
    right_line_weight: int,
) -> None:
    """After each line of the solution predict whether it is right: it shows *where* a solution errs.

    The right lines are foreseen as well, `right_line_weight` times, their results `RIGHT_LINE_WEIGHT` times; wrong
    ones never.
    """
    yes, no, newline = (tokenizer.encode(word).ids[0] for word in ("yes", "no", "\n"))
    ends = (tokenizer.id_to_token(newline), REPLY_TAG)
    begin = max(at for at in range(tokens.index(REPLY_TAG)) if tokens[at] in TAGS)
    for right in example.line_verdicts:
        end = next(i for i in range(begin + 1, len(tokens)) if tokens[i] in ends)
        if right:
            weights[begin + 1 : end] = right_line_weight
            _mark_results(tokens, begin + 1, end, weights, RIGHT_LINE_WEIGHT, RIGHT_LINE_WEIGHT)
        if tokens[end] != REPLY_TAG:  # where the verdict on the whole is
            targets[end], weights[end] = (yes if right else no), LINE_VERDICT_WEIGHT
        begin = end


def write_dataset(
    folder: Path,
    count: int,
    *,
    vocabulary: int = 1400,
    start: int = 0,
    processes: int = 2,
    self_training: Sequence[Example] = (),
    upweight: Mapping[str, float] | None = None,
    tokenizer_file: Path | None = None,
) -> DatasetInfo:
    """Write `count` encoded lessons and their tokenizer to `folder`; does nothing when they are there already.

    `self_training`: more lessons, of the pupil's own doing (`self_training`); those that are longer than all others
    are left out.
    `upweight`: by how much the share of a kind of lesson is raised (`tasks.pupil.mixture.shares`).
    `tokenizer_file`: file of the tokenizer to keep, if it knows every tag; else one is made of these lessons.
    """
    path = folder / "lessons.json"
    if path.is_file():
        info = DatasetInfo.model_validate_json(path.read_text())
        if (info.lessons - info.own, info.start) == (count, start):
            return info
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [range(i, min(i + CHUNK_EXAMPLES, start + count)) for i in range(start, start + count, CHUNK_EXAMPLES)]
    with _open_map(processes) as run:
        tokenizer = _load_tokenizer(tokenizer_file)
        if tokenizer is None:
            texts = (text for chunk_texts in run(partial(_example_texts, upweight), chunks[:8]) for text in chunk_texts)
            tokenizer = make_tokenizer(texts, vocabulary)
        tokenizer.save(str(folder / "tokenizer.json"))
        encoded = [
            e for es in run(partial(_encode_chunk, str(folder / "tokenizer.json"), upweight), chunks) for e in es
        ]
    longest = max(len(e.ids) for e in encoded)
    extra = [e for e in (encode_example(tokenizer, example) for example in self_training) if len(e.ids) <= longest]
    encoded += extra
    lengths = np.array([0, *(len(e.ids) for e in encoded)])
    np.save(folder / "ids.npy", np.concatenate([e.ids for e in encoded]))
    np.save(folder / "targets.npy", np.concatenate([e.targets for e in encoded]))
    np.save(folder / "weights.npy", np.concatenate([e.weights for e in encoded]))
    np.save(folder / "offsets.npy", np.cumsum(lengths))
    trained = sum(int((e.weights > 0).sum()) for e in encoded)
    info = DatasetInfo(
        lessons=count + len(extra),
        own=len(extra),
        tokens=int(lengths.sum()),
        trained=trained,
        longest=int(lengths.max()),
        vocabulary=tokenizer.get_vocab_size(),
        start=start,
    )
    path.write_text(json.dumps(info.model_dump(), indent=2) + "\n")
    return info


def open_dataset(folder: Path) -> PackedExamples:
    """The arrays that `write_dataset` wrote. Raises ValueError when there are none."""
    if not (folder / "lessons.json").is_file():
        raise ValueError(f"no lessons in {folder}; write them with make_lessons first")
    loaded: list[Any] = [np.load(folder / f"{name}.npy") for name in PackedExamples._fields]
    return PackedExamples(*loaded)


@contextmanager
def _open_map(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """`map`, over processes where there are to be several."""
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _load_tokenizer(tokenizer_file: Path | None) -> Tokenizer | None:
    tokenizer = Tokenizer.from_file(str(tokenizer_file)) if tokenizer_file and tokenizer_file.is_file() else None
    return tokenizer if tokenizer and tokenizer.get_vocab().keys() >= TAGS else None


def _example_texts(upweight: Mapping[str, float] | None, indices: range) -> list[str]:
    return [text for i in indices for text in (lambda it: (it.prompt, it.reply))(make_example(i, upweight))]


def _encode_chunk(tokenizer_path: str, upweight: Mapping[str, float] | None, indices: range) -> list[EncodedExample]:
    tokenizer = Tokenizer.from_file(tokenizer_path)
    return [encode_example(tokenizer, make_example(i, upweight)) for i in indices]
