"""What QFT and QPO make of the pupil: the share of questions from nothing that the oracle can solve, and the time."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from infra.lake.store import open_store
from tasks.base.confidence import wilson_interval
from tasks.proving_ground import oracle
from tasks.pupil.examples import END_TOKEN
from tasks.questions.write import WriteQuestion
from tests.bench.support.results import ROOT, Figure, questmill

SAMPLES = 8192
"""Questions of each model: an interval of some 2 points."""
SIZE = ("--questions", "2000")
BATCH = 512
KEEP = os.environ.get("QUESTMILL_BENCH_KEEP", "")
"""Folder for the trained questioner, which is how the one in `data/models` came there."""
PUPIL = ROOT / "data" / "models" / "pupil" / "int8"
RAW = ("<solve><question>", "<reply>")
"""The untuned solver is asked as in Magpie: the beginning of a user's turn, and what it writes until the turn ends."""
BARE = (WriteQuestion().make_prompt().to_tagged_text(), END_TOKEN)
TUNED = {"qft": "question_fine_tuning", "qpo": "question_preference_optimization"}


def measure() -> Iterator[Figure]:
    """Minutes of the whole run, and the share before, between and after the two trainings."""
    how = ("--profile", "ci", "--preset", "pupil", "--train", "--questioner.export_folder", KEEP)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        questmill("run", "scalequest", *how, *SIZE, "--store", folder)
        minutes = (time.monotonic() - started) / 60
        yield Figure("wall_time", round(minutes, 1), "min", "<= 15", "with both trainings")
        store = open_store(folder)
        made = {
            r.step: Path(store.locate(r.details["model"])) / "int8"
            for r in store.read_receipts()
            if "model" in r.details
        }
        shares = {"raw": share(PUPIL, *RAW), "own": share(PUPIL, *BARE)}
        shares |= {name: share(made[step], *BARE) for name, step in TUNED.items()}
    for name, (value, low, high) in shares.items():
        yield Figure(f"solvable_share.{name}", round(value, 4), "share", "", f"95 %: {low:.4f} to {high:.4f}")
    (before, _, high), (after, low, _) = shares["qft"], shares["qpo"]
    apart = "intervals apart" if low > high else "intervals overlap"
    yield Figure("qpo_gain", round(100 * (after - before), 1), "points", ">= 3", apart)


def share(model: Path, prefix: str, end: str) -> tuple[float, float, float]:
    """Share of solvable questions at temperature 1 and its 95 % interval; what does not belong is not solvable."""
    import ctranslate2
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(model / "tokenizer.json"))
    asked = words.encode(prefix, add_special_tokens=False).tokens
    ctranslate2.set_random_seed(11)
    generator = ctranslate2.Generator(str(model), compute_type="int8", intra_threads=1)
    solvable = 0
    for _ in range(SAMPLES // BATCH):
        results = generator.generate_batch(
            [asked] * BATCH,
            max_batch_size=128,
            max_length=256,
            sampling_topk=0,
            include_prompt_in_result=False,
            end_token=list({end, END_TOKEN}),
            return_end_token=True,
        )
        for tokens in (result.sequences[0] for result in results):
            read = oracle.read_question(words.decode([words.token_to_id(token) for token in tokens[:-1]]))
            solvable += tokens[-1] in (end, END_TOKEN) and read.problem is not None and read.unsolvable is None
    return (solvable / SAMPLES, *wilson_interval(solvable, SAMPLES))
