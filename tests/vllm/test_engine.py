"""The vLLM engine keeps the contract, works a job through the worker, and ends, dies and hangs as an engine should."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra import engines
from infra.cluster import worker
from infra.engines.common.reward_models import probability_of
from infra.engines.vllm import VllmEngine
from infra.lake.store import open_store
from schemas.engine import Failure, Request, generate, score
from schemas.engine_specs import VllmSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling
from schemas.receipts import Receipt
from schemas.steps import Stage
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tests.support.engine_contract import JUDGE, SOLVE, WRITE, GeneratorContract, ScorerContract

# By a module of it: any folder called `vllm` is a package of that name.
pytest.importorskip("vllm.version", reason="needs vLLM: make test-vllm")

pytestmark = pytest.mark.vllm
SCHEMA = {"type": "integer", "minimum": 100, "maximum": 999}


@pytest.fixture
def engine(spec: VllmSpec) -> Any:
    """The resident engine, which the tests below share."""
    return engines.load(engines.pin_model(spec))


class TestVllm(GeneratorContract, ScorerContract):
    """The contract."""


def test_equal_seeds_give_equal_samples_whatever_else_is_in_the_batch(engine: VllmEngine) -> None:
    sampling = Sampling(n=2, temperature=1.0, max_tokens=24)
    (alone,) = generate(engine, [WRITE], sampling, [[5, 6]])
    *_, within = generate(engine, [WRITE] * 9, sampling, [[i, i + 100] for i in range(8)] + [[5, 6]])
    assert [reply.text for reply in within] == [reply.text for reply in alone]


def test_a_model_that_reads_tagged_text_is_held_to_no_schema(engine: VllmEngine) -> None:
    """It was taught the forms of its replies, and knows no JSON."""
    sampling = Sampling(max_tokens=64, reply_schema=SCHEMA)
    ((reply,),) = generate(engine, [SOLVE], sampling, [[1]])
    assert "####" in reply.text


def test_a_prompt_that_is_too_long_fails_alone(engine: VllmEngine) -> None:
    long = Prompt(stage="solve", inputs={"question": "How many eggs? " * 200})
    asked = [Request("0", long, (1,)), Request("1", SOLVE, (1,))]
    replies = {request.row_id: reply for request, reply in engine.stream(asked, Sampling(max_tokens=4))}
    assert isinstance(replies["0"], Failure) and replies["0"].reason == "context too long"
    assert not isinstance(replies["1"], Failure)


def test_many_prompts_with_seeds_at_once_do_not_kill_the_engine(engine: VllmEngine) -> None:
    """More tokens than it reads in one step."""
    prompts = [Prompt(stage="solve", inputs={"question": f"{n} eggs and 4 more. " * 16}) for n in range(200)]
    replies = generate(engine, prompts, Sampling(temperature=1.0, max_tokens=4), [[n] for n in range(200)])
    assert sum(reply.prompt_tokens for (reply,) in replies) > 16_384
    assert engine.process.restarts == 0


@pytest.mark.parametrize("stop", [("####",), ("never", "=", "####"), ("eggs",)])
def test_a_reply_ends_before_a_stop_text(engine: VllmEngine, stop: tuple[str, ...]) -> None:
    ((whole,),) = generate(engine, [SOLVE], Sampling(max_tokens=64), [[1]])
    ((cut,),) = generate(engine, [SOLVE], Sampling(max_tokens=64, stop=stop), [[1]])
    first = min((whole.text.find(text) for text in stop if text in whole.text), default=len(whole.text))
    assert cut.text == whole.text[:first] and cut.finish_reason == "stop"


@pytest.mark.parametrize("fields", [{"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-6}])
def test_only_the_likeliest_tokens_are_sampled_if_asked(engine: VllmEngine, fields: dict[str, float]) -> None:
    ((greedy,),) = generate(engine, [WRITE], Sampling(max_tokens=12), [[1]])
    sampling = Sampling(max_tokens=12, temperature=1.0, **fields)
    assert {reply.text for (reply,) in generate(engine, [WRITE] * 8, sampling, [[i] for i in range(8)])} == {
        greedy.text
    }


@pytest.mark.parametrize(
    "fields", [{"presence_penalty": 2.0}, {"frequency_penalty": 2.0}, {"repetition_penalty": 50.0}]
)
def test_what_a_reply_holds_already_is_made_less_likely(engine: VllmEngine, fields: dict[str, float]) -> None:
    plain, varied = (
        [reply.text for (reply,) in generate(engine, [WRITE] * 8, sampling, [[i] for i in range(8)])]
        for sampling in (Sampling(max_tokens=48, temperature=1.0, **each) for each in ({}, fields))
    )
    assert plain != varied


def test_a_job_goes_from_nothing_to_solutions(engine: VllmEngine, spec: VllmSpec, tmp_path: Path) -> None:
    """Two shards at a time through the functions of a worker, as the first half of ScaleQuest."""
    lake, pinned = str(tmp_path / "lake"), engines.pin_model(spec)
    blanks = worker.run_empty_rows(64, 32, lake)

    def work(stage: Stage, made: list[tuple[Receipt, int]]) -> list[tuple[Receipt, int]]:
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(worker.run_shard, stage, pinned, receipt.parts[index], lake) for receipt, index in made]
        receipts = [job.result() for job in jobs]
        assert all(receipt.is_balanced for receipt in receipts)
        return [(receipt, index) for receipt in receipts for index in range(len(receipt.parts))]

    questions = work(WriteQuestion(), [(blanks, 0), (blanks, 1)])
    solvable = work(JudgeSolvable(), questions)
    solved = work(Solve(sampling=Sampling(n=2, temperature=0.7, max_tokens=256)), solvable)
    rewarded = work(ScoreAnswer(), solved)
    rows = [row for receipt, index in solved for row in open_store(lake).get(receipt.parts[index]).to_pylist()]
    assert len(rows) > 16 and all(row["answer"] for row in rows)
    assert sum(receipt.kept for receipt, _ in rewarded) == len(rows)
    assert all(receipt.usage.completion_tokens > 0 and receipt.usage.gpu_seconds == 0 for receipt, _ in solved)
    assert all(receipt.was_cached for receipt, _ in work(JudgeSolvable(), questions))


def test_a_pooling_model_takes_the_place_of_a_writing_one_and_its_memory(
    engine: VllmEngine, spec: VllmSpec, tmp_path: Path
) -> None:
    before = engine.process.processes
    assert before and all(process.is_running() for process in before)
    reads = {"path": str(judge_of(spec, tmp_path)), "pooling": True, "reward_token": "<spare_0>"}
    scorer = engines.load(spec.model_copy(update=reads))
    assert not any(map(lives, before))
    other = JUDGE.model_copy(update={"inputs": {"question": "How many?", "solution": "#### 8"}})
    scores = score(scorer, [JUDGE, other, JUDGE])
    assert all(0 < each < 1 for each in scores) and scores[0] == pytest.approx(scores[2], abs=1e-4) != scores[1]
    alone = labels_of(tmp_path, f"{JUDGE.to_tagged_text()}<spare_0>")[-1]
    assert scores[0] == pytest.approx(probability_of(alone), abs=1e-3)
    with pytest.raises(EngineError, match="only scores"):
        generate(scorer, [SOLVE], Sampling(), [[1]])
    after = scorer.process.processes
    engines.unload()
    assert not any(map(lives, after))
    with pytest.raises(EngineError, match="closed"):
        score(scorer, [JUDGE])


def test_a_process_reward_model_scores_each_step_and_fails_rows_without(spec: VllmSpec, tmp_path: Path) -> None:
    folder = judge_of(spec, tmp_path, labels=2)
    template = (
        "{% for m in messages %}<{{ 'solution' if m.role == 'assistant' else 'question' }}>{{ m.content }}{% endfor %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    fields = {"path": str(folder), "pooling": True, "step_token": "<spare_1>", "step_scores": "min"}
    scorer = engines.load(spec.model_copy(update=fields))
    texts = {"steps": "3 + 4 = 7\n\n#### 7", "one": "#### 7", "none": " \n", "odd": "3<spare_1>4"}
    requests = [
        Request(name, JUDGE.model_copy(update={"inputs": {"question": "How many?", "solution": text}}), (1,))
        for name, text in texts.items()
    ]
    replies = {request.row_id: reply for request, reply in scorer.score(requests)}
    for name in ("none", "odd"):
        assert isinstance(replies[name], Failure) and replies[name].reason == "no step scores"
    labels = labels_of(folder, "<question>How many?<solution>3 + 4 = 7<spare_1>#### 7<spare_1>", "<spare_1>")
    assert len(labels) == 2
    assert float(replies["steps"][0].text) == pytest.approx(min(map(probability_of, labels)), abs=1e-3)
    assert 0 < float(replies["one"][0].text) < 1


CHAT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system turn') }}{% endif %}{% for m in messages %}"
    "<question>{{ m.content }}{{ '<reply>' if m.role == 'user' and add_generation_prompt else '<end>' }}{% endfor %}"
    "{% if enable_thinking %}<type>{% endif %}"
)


def test_a_chat_model_is_asked_as_its_template_wants_and_ends_where_it_ends(spec: VllmSpec, tmp_path: Path) -> None:
    """No file names its end token, and its template takes no system turn and opens thoughts."""
    shutil.copytree(spec.path, folder := tmp_path / "chat")
    (folder / "chat_template.jinja").write_text(CHAT)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        file = folder / name
        config = json.loads(file.read_text()) if file.is_file() else {}
        ends = {"eos_token": "<spare_7>"} if name.startswith("tokenizer") else {"eos_token_id": 27}
        file.write_text(json.dumps(config | ends))
    marks = (("<type>", "<correction>"),)
    chat = engines.load(spec.model_copy(update={"path": str(folder), "reasoning_marks": marks}))
    ended, thinking = (
        generate(chat, [SOLVE] * 4, Sampling(max_tokens=32, thinking=each), [[1]] * 4) for each in (None, True)
    )
    assert chat.writer.layout == "user" and chat.end_ids == [2] and chat.dropped_tokens is not None
    assert any(reply.finish_reason == "stop" for (reply,) in ended) and "<end>" not in ended[0][0].text
    assert all(reply.fault == "cut_off" and not reply.text and reply.reasoning for (reply,) in thinking)
    sampling = Sampling(temperature=1.0, max_tokens=8, reply_schema=SCHEMA)
    replies = generate(chat, [SOLVE] * 8, sampling, [[i] for i in range(8)])
    assert all(100 <= json.loads(reply.text) <= 999 for (reply,) in replies)
    bare = spec.model_copy(update={"path": str(folder), "layout": "bare"})
    engine = engines.load(bare)
    assert engine.writer.write(WRITE).text == "<question>" and engine.end_ids == [2]
    with pytest.raises(EngineError, match="only begins a user's turn"):
        generate(engine, [SOLVE], Sampling(), [[1]])


@pytest.mark.parametrize("pooling", [False, True])
def test_a_model_without_a_template_that_is_not_the_pupil_is_refused(
    spec: VllmSpec, tmp_path: Path, pooling: bool
) -> None:
    folder = judge_of(spec, tmp_path) if pooling else Path(shutil.copytree(spec.path, tmp_path / "model"))
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text().replace("<solve>", "<task_1>"))
    with pytest.raises(ValueError, match=f"no chat template beside {folder}; copy tokenizer_config.json"):
        VllmEngine(spec.model_copy(update={"path": str(folder), "pooling": pooling}))


def test_an_engine_that_hangs_is_restarted_once_and_what_it_owes_is_asked_again(spec: VllmSpec) -> None:
    engine = VllmEngine(spec.model_copy(update={"stall_seconds": 3.0}))
    try:
        first = engine.process.processes
        replies = interrupt(engine, lambda: [process.suspend() for process in first])
        assert sorted(replies) == list(range(96)) and not any(isinstance(r, Failure) for r in replies.values())
        assert not any(map(lives, first)) and all(map(lives, engine.process.processes))
        notes = Path(tempfile.gettempdir(), f"questmill-engine-{os.getpid()}.txt")
        assert "no token for 3 s" in notes.read_text() and "most recent call first" in notes.read_text()
        notes.unlink()
        with pytest.raises(EngineError, match="died a second time"):
            interrupt(engine, lambda: engine.process.processes[0].kill())
    finally:
        engine.close()
    assert not any(map(lives, engine.process.processes))


def test_an_engine_does_not_survive_a_worker_that_is_killed(spec: VllmSpec) -> None:
    code = (
        "import sys, time\n"
        f"from {VllmEngine.__module__} import VllmEngine\n"
        f"from {VllmSpec.__module__} import VllmSpec\n"
        "if __name__ == '__main__':\n"
        "    engine = VllmEngine(VllmSpec.model_validate_json(sys.argv[1]))\n"
        "    print(*(process.pid for process in engine.process.processes), flush=True)\n"
        "    time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, spec.model_dump_json()], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    family = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(family) >= 2 and all(map(lives, family))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    until = time.monotonic() + 15
    while any(map(lives, family)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(lives, family))


@pytest.fixture(scope="module", autouse=True)
def nothing_stays() -> Iterator[None]:
    """No engine outlives these tests."""
    yield
    engines.unload()


def lives(process: Any) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def interrupt(engine: VllmEngine, act: Callable[[], object]) -> dict[int, Any]:
    """Ask for 96 replies and `act` once the first has come."""
    requests = [Request(str(i), SOLVE, (i,)) for i in range(96)]
    replies = {}
    for request, reply in engine.stream(requests, Sampling(temperature=1.0, max_tokens=400)):
        if not replies:
            threading.Thread(target=act).start()
        replies[int(request.row_id)] = reply
    return replies


def judge_of(spec: VllmSpec, folder: Path, labels: int = 1) -> Path:
    """A reward model in `folder`: the pupil with a head of one or two labels, which no training has touched."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(spec.path, folder, dirs_exist_ok=True)
    weights = load_file(folder / "model.safetensors")
    size = weights["model.norm.weight"].shape[0]
    head = (weights["model.norm.weight"] * 0.01).reshape(1, size)
    weights["score.weight"] = head.repeat(labels, 1).contiguous()
    weights["score.weight"][:-1] *= -1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    names = {str(i): f"label {i}" for i in range(labels)}
    config |= {"architectures": ["LlamaForSequenceClassification"], "num_labels": labels, "id2label": names}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def labels_of(folder: Path, text: str, token: str = "") -> list[list[float]]:
    """What transformers' own head says at each token of `text`, or at each `token` in it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        values = model.score(model.model(input_ids=ids)[0])[0].tolist()
    wanted = tokenizer.convert_tokens_to_ids(token) if token else None
    return [row for row, i in zip(values, ids[0].tolist(), strict=True) if wanted in (None, i)]
