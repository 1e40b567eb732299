"""Own work: what a pupil writes becomes lessons that are true, and is written once."""

from collections import Counter
from pathlib import Path
from random import Random

from infra.engines.fake import FakeEngine
from schemas.prompts import Prompt
from tasks.lemma.diagnosis_reply import parse_diagnosis
from tasks.proving_ground import library
from tasks.proving_ground.oracle import diagnose_solution, read_question
from tasks.proving_ground.wrong_solutions import inject_error
from tasks.pupil.examples import UNCLEAR_JUDGEMENT
from tasks.pupil.self_training import read_self_training, write_self_training
from tasks.questions.solvability import parse_solvability


def writes(prompt: Prompt, seed: int) -> str:
    """Solvable questions, unsolvable ones and garbled ones; right solutions and wrong ones."""
    if prompt.stage == "write_question":
        return "How many he?" if seed % 3 == 0 else library.draw_problem(seed, solvable=seed % 3 == 1).question
    problem = read_question(prompt.inputs["question"]).problem
    assert problem is not None
    if seed % 2:
        return problem.solution
    return inject_error(problem, "arithmetic_slip", Random(seed)) or "1 + 1 = 3\n#### 3"


def test_own_questions_and_solutions_are_judged_as_the_oracle_does(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    assert write_self_training(FakeEngine(writes), 200, path) == len(read_self_training(path))
    for taught in read_self_training(path):
        parts = dict(part.split(">", 1) for part in taught.prompt.removesuffix("<reply>").split("<")[2:])
        found = read_question(parts.get("question", taught.reply))
        if taught.stage == "write_question":
            assert found.problem is not None, "only what belongs is imitated"
        elif taught.stage == "solve":
            assert found.problem is not None and found.problem.solution
            assert diagnose_solution(found.problem, taught.reply).kind != "no_answer"
        elif taught.stage == "judge_solvable":
            assert parse_solvability(taught.reply) is (found.answer is not None)
            assert (taught.reply == UNCLEAR_JUDGEMENT) is (found.template is None)
        elif taught.stage == "diagnose":
            assert found.problem is not None
            attempt = "\n".join(line.partition(") ")[2] for line in parts["attempt"].split("\n"))
            assert parts["reference"] == found.problem.solution
            named = parse_diagnosis(taught.reply, attempt.split("\n")).step
            assert (
                diagnose_solution(found.problem, attempt).first_wrong_step == named - 1 == len(taught.line_verdicts) - 1
            )
        else:
            assert found.problem is not None
            assert (taught.reply == "yes") is diagnose_solution(found.problem, parts["solution"]).correct
            assert all(taught.line_verdicts) is (taught.reply == "yes")
    replies = [taught.reply for taught in read_self_training(path) if taught.stage == "judge_answer"]
    stages = Counter(taught.stage for taught in read_self_training(path))
    assert set(stages) == {"judge_solvable", "write_question", "solve", "judge_answer", "diagnose"}
    assert len(replies) > 50 and replies.count("yes") == replies.count("no")
    assert stages["diagnose"] > 50


def test_own_work_that_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    write_self_training(FakeEngine(writes), 40, path)
    silent = FakeEngine(writes)
    assert write_self_training(silent, 40, path) > 20 and not silent.calls
