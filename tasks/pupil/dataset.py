"""Makes the pupil's tokenizer and encodes every example once into arrays, so that training only reads them.

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
"""Weight of the question at the start of an example: each also teaches how a question is written, at no cost."""
SLOT_WEIGHT = 5
"""Weight of the names, nouns and colours of a question: half of all failed questions change one of them midway."""
REPLY_WEIGHT = 2
"""Weight of a reply, except where one of the weights below applies."""
RESULT_WEIGHT = 6
"""Weight of what follows an equals sign in a reply: the words of a solution are learnt long before its numbers."""
VERDICT_WEIGHT = 12
"""Weight of the one token that is the reward; otherwise an example of 100 tokens would hardly teach it."""
DIAGNOSIS_WEIGHT = 6
"""Weight of a diagnosis; the first word of the line that it copies has already decided it."""
LINE_VERDICT_WEIGHT = 6
"""Weight of the hidden verdict after each line of a solution to be judged or diagnosed."""
RIGHT_LINE_WEIGHT = 2
"""Weight of the right lines of such a solution: a model that predicts them notices where a solution departs."""
QUESTION_STAGES = frozenset(("write_question", "rewrite_question"))
"""Stages whose reply is a question."""
RESULT_CHARACTERS = frozenset("0123456789./")
QUESTION_TAG, REPLY_TAG = "<question>", "<reply>"
TAGS = frozenset(list_special_tokens())
CHUNK_EXAMPLES = 2000
"""Examples that a process encodes at a time."""


class EncodedExample(NamedTuple):
    """An example of T tokens: `targets[i]` is to be predicted after `ids[i]`, and counts `weights[i]` times."""

    ids: NDArray[np.uint16]
    """Tokens of prompt and reply, shape (T,)."""
    targets: NDArray[np.uint16]
    """Tokens to predict, shape (T,): the next token, or a hidden verdict on a line."""
    weights: NDArray[np.uint8]
    """Weights in the loss, shape (T,); 0: not counted."""


class DatasetInfo(FrozenModel):
    """The size of a dataset that `write_dataset` wrote, kept beside the arrays as `lessons.json`."""

    lessons: int
    """Number of examples."""
    tokens: int
    """Tokens of all examples."""
    trained: int
    """Number of tokens that count for the loss."""
    longest: int
    """Tokens of the longest example."""
    vocabulary: int
    """Entries of the tokenizer."""
    start: int
    """Index of the first example."""
    own: int = 0
    """Number of examples of the pupil's own work; they are the last ones."""


class PackedExamples(NamedTuple):
    """N examples of T tokens in all, end to end; example i is the slice `offsets[i]:offsets[i + 1]`."""

    ids: NDArray[np.uint16]
    """Tokens, shape (T,)."""
    targets: NDArray[np.uint16]
    """Tokens to predict, shape (T,)."""
    weights: NDArray[np.uint8]
    """Weights in the loss, shape (T,)."""
    offsets: NDArray[np.int64]
    """Where each example begins, and the end of the last one, shape (N + 1,)."""


def make_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Train a byte-level BPE of at most `size` entries, in which tags and digits are tokens of their own."""
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
    """Encode tag, inputs, reply and end token. The reply counts most; the question and the line verdicts count too."""
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
        is_predictable = not is_drill or example.stage == Diagnose.tag  # from the question, or from a reference
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
        is_unpredictable = is_drill and example.stage == Solve.tag  # the prompt does not say what to calculate
        reply_weights[:] = 0 if is_unpredictable else REPLY_WEIGHT
        _mark_results(tokens, len(prompt), len(tokens) - 1, weights, RESULT_WEIGHT, REPLY_WEIGHT)
    return EncodedExample(ids, targets, weights)


def _mark_slots(tokens: list[str], begin: int, end: int, weights: NDArray[np.uint8]) -> None:
    """Give words that a slot of a template writes the weight `SLOT_WEIGHT`; `weights` has shape (T,)."""
    words = slot_words()
    for at in range(begin, end):
        if tokens[at + 1].strip("\u0120").lower() in words:
            weights[at] = SLOT_WEIGHT


def _mark_results(
    tokens: list[str], begin: int, end: int, weights: NDArray[np.uint8], result: int, ending: int
) -> None:
    """Give numbers after an equals sign the weight `result`, and the token that ends them the weight `ending`."""
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
    """Make the newline after each line of the solution predict whether the line is right: it shows *where* it errs.

    Right lines are predicted as well, with the weight `right_line_weight`, and their results with `RIGHT_LINE_WEIGHT`;
    wrong lines are not. `targets` and `weights` have shape (T,) and are changed in place.
    """
    yes, no, newline = (tokenizer.encode(word).ids[0] for word in ("yes", "no", "\n"))
    ends = (tokenizer.id_to_token(newline), REPLY_TAG)
    begin = max(at for at in range(tokens.index(REPLY_TAG)) if tokens[at] in TAGS)
    for right in example.line_verdicts:
        end = next(i for i in range(begin + 1, len(tokens)) if tokens[i] in ends)
        if right:
            weights[begin + 1 : end] = right_line_weight
            _mark_results(tokens, begin + 1, end, weights, RIGHT_LINE_WEIGHT, RIGHT_LINE_WEIGHT)
        if tokens[end] != REPLY_TAG:  # there the verdict on the whole solution is predicted
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
    """Write `count` encoded examples and their tokenizer to `folder`; do nothing if they are there already.

    `self_training`: more examples, of the pupil's own work (`tasks.pupil.self_training`); those that are longer than
    all others are left out.
    `upweight`: factors for the shares of tasks, by name (`tasks.pupil.mixture.weigh_tasks`).
    `tokenizer_file`: the tokenizer to keep, if it knows every tag; else one is trained on these examples.
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
    """Load the arrays that `write_dataset` wrote. Raises ValueError if there are none."""
    if not (folder / "lessons.json").is_file():
        raise ValueError(f"no examples in {folder}; write them with write_dataset first")
    loaded: list[Any] = [np.load(folder / f"{name}.npy") for name in PackedExamples._fields]
    return PackedExamples(*loaded)


@contextmanager
def _open_map(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Yield a `map` that runs in `processes` processes."""
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
