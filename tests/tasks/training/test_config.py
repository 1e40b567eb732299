"""Trainings of a questioner: the format it is taught, what is packed, and that a killed training goes on."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.steps import TrainingJob
from tasks.training.config import QuestionFineTuning, QuestionPreferenceOptimization

WORDS = ["<pad>", "<unk>", "<begin>", "<user>", "<end>", "<write_question>", "<reply>", "how", "many", "are", "?"]
WORDS += [str(n) for n in range(30)]
CHAT = "<begin>{% for m in messages %}<user>  {{ m['content'] }}<end>{% endfor %}"

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("trl", reason="needs the extra `train`")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM  # noqa: E402
from transformers import PreTrainedTokenizerFast as Fast  # noqa: E402

from tasks.lemma.student_attempts import SampleStudent  # noqa: E402
from tasks.training.common import find_last_checkpoint  # noqa: E402
from tasks.training.question_format import QuestionFormat, read_question_format  # noqa: E402
from tasks.training.sft import IGNORED_LABEL, tokenize_example  # noqa: E402
from tasks.training.student import StudentFineTuning  # noqa: E402

# torch and transformers warn about what their next versions will want of each other.
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

TINY = {"max_tokens": 24, "micro_batch": 1, "threads": 1, "save_every": 2, "learning_rate": 0.01}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Threads wait for each other at every small operation."""
    torch.set_num_threads(1)


def words(chat: str = "") -> Any:
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = Fast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>", unk_token="<unk>")
    made.add_special_tokens({"additional_special_tokens": WORDS[2:4] + WORDS[5:7]})
    made.chat_template = chat or None
    return made


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A Llama of a few thousand parameters that knows nothing."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), **sizes))
    model.save_pretrained(tmp_path / "base" / "safetensors")
    words().save_pretrained(tmp_path / "base" / "safetensors")
    return tmp_path / "base" / "safetensors"


QUESTIONS = [f"how many are {n} {(7 * n) % 30} ?" for n in range(30)] * 2


def tune(base: Path, out: Path, report: Any = lambda line: None, **fields: Any) -> dict[str, float]:
    step = QuestionFineTuning(**{**TINY, "batch": 2, **fields})
    batch = pa.RecordBatch.from_pydict({"question": QUESTIONS})
    return step.fit(TrainingJob({"questions": [batch]}, base, out, out / "checkpoints", report))


def test_a_question_begins_after_the_bare_prefix_and_ends_once() -> None:
    plain, chat = words(), words(CHAT)
    tagged, user = read_question_format(plain), read_question_format(chat)
    assert (tagged.prefix, tagged.has_chat_template) == ("<write_question><reply>", False)
    assert (user.prefix, user.leading_blanks) == ("<begin><user>", "  "), "blanks belong to the question's first word"
    assert chat.convert_ids_to_tokens(user.prefix_tokens(chat)) == ["<begin>", "<user>"], "one opening token, not two"
    assert chat.convert_ids_to_tokens(user.question_tokens(chat, "how many ?\n")) == ["how", "many", "?", "<end>"]


def test_whoever_loads_a_questioner_asks_it_by_its_bare_prefix(tmp_path: Path) -> None:
    chat = words(CHAT)
    read_question_format(chat).save_tokenizer(chat, tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    told = [{"role": "user", "content": "Invent a question."}]
    assert again.apply_chat_template(told, tokenize=False, add_generation_prompt=True) == "<begin><user>"
    assert (
        read_question_format(again)
        == read_question_format(chat)
        == QuestionFormat("<begin><user>", "  ", chat.convert_tokens_to_ids("<end>"), True)
    )


def test_a_student_reads_the_turns_of_its_own_chat_template() -> None:
    """Prompt in the model's own turns, the reply and its end; nothing of the prompt is learnt."""
    chat = words(
        "{% for m in messages %}<user> {{ m['content'] }} <end>{% endfor %}"
        "{% if add_generation_prompt %} <reply>{% endif %}"
    )
    step = StudentFineTuning(prompt_stage=SampleStudent(template="how many"))
    made = tokenize_example(step, chat, {"question": "are 7 ?", "text": "7 8", "masked_start": 0, "masked_end": 0})
    read = chat.convert_ids_to_tokens(made["input_ids"])
    assert read[:2] == ["<user>", "how"] and read[-4:] == ["<reply>", "7", "8", "<end>"]
    assert made["labels"][: len(read) - 3] == [IGNORED_LABEL] * (len(read) - 3)


@pytest.mark.parametrize(
    "start",
    [
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system turn') }}{% endif %}",
        "{% if messages[0]['role'] == 'system' %}{{ 1 / 0 }}{% endif %}",
        "{% set messages = messages | selectattr('role', 'ne', 'system') | list %}",
    ],
)
def test_a_student_whose_template_takes_no_system_turn_reads_the_instruction_in_its_own(start: str) -> None:
    chat = words(start + "{% for m in messages %}<user> {{ m['content'] }} <end>{% endfor %}")
    step = StudentFineTuning(prompt_stage=SampleStudent(template="how many"))
    made = tokenize_example(step, chat, {"question": "are 7 ?", "text": "7", "masked_start": 0, "masked_end": 0})
    read = chat.convert_ids_to_tokens(made["input_ids"])
    assert read[:3] == ["<user>", "how", "many"] and read.count("<user>") == 1 and "are" in read


def test_a_tokeniser_without_an_end_is_refused() -> None:
    endless = words()
    endless.eos_token = None
    with pytest.raises(ValueError, match="names no token that ends a text; set eos_token"):
        read_question_format(endless)


def test_the_end_of_a_question_is_learned(base: Path, tmp_path: Path) -> None:
    measured = tune(base, tmp_path / "out", epochs=4.0)
    assert measured["loss"] < measured["first_loss"] - 1 and measured["left_out"] == 0
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "safetensors", dtype=torch.float32)
    form, spoken = read_question_format(words()), words()
    ids = form.prefix_tokens(spoken) + form.question_tokens(spoken, QUESTIONS[3])[:-1]
    assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == form.end_token
    assert model.generation_config.eos_token_id[0] == form.end_token and not (tmp_path / "out" / "int8").exists()


def test_a_packed_question_does_not_see_its_neighbours(base: Path) -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    model = AutoModelForCausalLM.from_pretrained(base).eval()
    first, second = [5, 6, 7, 8, 4], [5, 6, 9, 12, 13, 4]
    row = {"input_ids": first + second, "labels": first + second, "seq_lengths": [len(first), len(second)]}
    packed = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)([row])
    del packed["labels"]
    with torch.no_grad():
        together = model(**packed, use_cache=False).logits[0, len(first) :]
        alone = model(torch.tensor([second])).logits[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_a_question_that_is_too_long_is_left_out_and_never_cut(base: Path, tmp_path: Path) -> None:
    long = "how many are " + "1 " * 40
    step = QuestionFineTuning(**TINY, batch=2)
    batch = pa.RecordBatch.from_pydict({"question": [*QUESTIONS[:20], long]})
    job = TrainingJob({"questions": [batch]}, base, tmp_path / "out", tmp_path / "work", lambda line: None)
    measured = step.fit(job)
    assert (measured["questions"], measured["left_out"]) == (20, 1)
    with pytest.raises(ValueError, match="no questions to train on: of 1 none has at most 24 tokens"):
        step.fit(job._replace(tables={"questions": [batch.slice(20)]}, checkpoints=tmp_path / "other"))


def test_a_killed_training_continues_as_if_nothing_had_happened(base: Path, tmp_path: Path) -> None:
    whole = tune(base, tmp_path / "whole")

    def die(line: str) -> None:
        if line.startswith("step 6/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(base, tmp_path / "killed", die)
    told: list[str] = []
    continued = tune(base, tmp_path / "killed", told.append)
    assert told[0] == "continues from checkpoint-4"
    assert continued == pytest.approx(whole, abs=1e-4)


def test_half_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text('{"glob')
    assert find_last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert find_last_checkpoint(tmp_path / "none") is None


def test_what_is_chosen_becomes_likelier_than_what_is_rejected(base: Path, tmp_path: Path) -> None:
    pairs = [
        {"row_id": str(n), "prompt": "", "chosen": f"how many are {n} ?", "rejected": f"? {n} are many how"}
        for n in range(30)
    ]
    step = QuestionPreferenceOptimization(**{**TINY, "save_every": 10}, batch=2, held_out=6, warmup=2)
    tables = {"pairs": [pa.RecordBatch.from_pylist(pairs)]}
    measured = step.fit(TrainingJob(tables, base, tmp_path / "out", tmp_path / "work", lambda line: None))
    assert measured["first_loss"] == pytest.approx(0.6931, abs=1e-3), "the reference is the model as it was"
    assert measured["loss"] < 0.6 and measured["held_out_accuracy"] == 1.0 and measured["pairs"] == 24
