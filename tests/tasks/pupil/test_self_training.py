"""Own work: what a pupil writes becomes lessons that are true, and is written once."""

from collections import Counter
from pathlib import Path
from random import Random

from infra.engines.fake import Fake
from schemas.prompts import Prompt
from tasks.lemma.diagnose import read_diagnosis
from tasks.proving_ground import library
from tasks.proving_ground.oracle import diagnose, read
from tasks.proving_ground.wrong_solutions import corrupt
from tasks.pupil.examples import UNCLEAR
from tasks.pupil.self_training import read_own, write_own
from tasks.questions.solvability import verdict


def writes(prompt: Prompt, seed: int) -> str:
    """Solvable questions, unsolvable ones and garbled ones; right solutions and wrong ones."""
    if prompt.stage == "write_question":
        return "How many he?" if seed % 3 == 0 else library.draw(seed, solvable=seed % 3 == 1).question
    problem = read(prompt.inputs["question"]).problem
    assert problem is not None
    if seed % 2:
        return problem.solution
    return corrupt(problem, "arithmetic_slip", Random(seed)) or "1 + 1 = 3\n#### 3"


def test_own_questions_and_solutions_are_judged_as_the_oracle_does(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    assert write_own(Fake(writes), 200, path) == len(read_own(path))
    for taught in read_own(path):
        parts = dict(part.split(">", 1) for part in taught.prompt.removesuffix("<reply>").split("<")[2:])
        found = read(parts.get("question", taught.reply))
        if taught.stage == "write_question":
            assert found.problem is not None, "only what belongs is imitated"
        elif taught.stage == "solve":
            assert found.problem is not None and found.problem.solution
            assert diagnose(found.problem, taught.reply).kind != "no_answer"
        elif taught.stage == "judge_solvable":
            assert verdict(taught.reply) is (found.answer is not None)
            assert (taught.reply == UNCLEAR) is (found.template is None)
        elif taught.stage == "diagnose":
            assert found.problem is not None
            attempt = "\n".join(line.partition(") ")[2] for line in parts["attempt"].split("\n"))
            assert parts["reference"] == found.problem.solution
            named = read_diagnosis(taught.reply, len(attempt.split("\n"))).step
            assert diagnose(found.problem, attempt).first_wrong_step == named - 1 == len(taught.verdicts) - 1
        else:
            assert found.problem is not None
            assert (taught.reply == "yes") is diagnose(found.problem, parts["solution"]).correct
            assert all(taught.verdicts) is (taught.reply == "yes")
    replies = [taught.reply for taught in read_own(path) if taught.stage == "judge_answer"]
    stages = Counter(taught.stage for taught in read_own(path))
    assert set(stages) == {"judge_solvable", "write_question", "solve", "judge_answer", "diagnose"}
    assert len(replies) > 50 and replies.count("yes") == replies.count("no")
    assert stages["diagnose"] > 50


def test_own_work_that_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    write_own(Fake(writes), 40, path)
    silent = Fake(writes)
    assert write_own(silent, 40, path) > 20 and not silent.asked
