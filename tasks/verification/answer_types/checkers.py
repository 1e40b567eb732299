"""The table of answer types: a checker for each type that is no mathematics."""

from schemas.identity import FrozenModel
from tasks.verification.answer_types.call import CallChecker
from tasks.verification.answer_types.checker import AnswerChecker
from tasks.verification.answer_types.choice import ChoiceChecker
from tasks.verification.answer_types.code import CodeChecker
from tasks.verification.answer_types.constraints.checker import ConstraintsChecker
from tasks.verification.answer_types.function import FunctionChecker
from tasks.verification.answer_types.json_answer import JsonChecker
from tasks.verification.answer_types.number import NumberChecker
from tasks.verification.answer_types.program import ProgramChecker
from tasks.verification.answer_types.sql import SqlChecker
from tasks.verification.answer_types.text import TextChecker


class AnswerCheckers(FrozenModel):
    """One checker for each answer type. A new type is one more field; rows name it by its `answer_type`.

    A new field is also added to `Verifiers` in `ADDED_FIELDS`, so that earlier runs stay the same. A field must not be
    called `json` or `schema`, which are methods of every model: call it `json_answer`.
    """

    choice: ChoiceChecker = ChoiceChecker()
    """How answers of the type `choice` are checked: letters, numbers or texts of options."""
    text: TextChecker = TextChecker()
    """How answers of the type `text` are checked: names and other short texts, with aliases."""
    number: NumberChecker = NumberChecker()
    """How answers of the type `number` are checked: within a tolerance, or to so many significant figures."""
    code: CodeChecker = CodeChecker()
    """How answers of the type `code` are checked: programs, by the unit tests of their row."""
    program: ProgramChecker = ProgramChecker()
    """How answers of the type `program` are checked: by a checker program, the row's or one for all rows."""
    function: FunctionChecker = FunctionChecker()
    """How answers of the type `function` are checked: by a Python function of the user's."""
    sql: SqlChecker = SqlChecker()
    """How answers of the type `sql` are checked: a query must give the rows of the gold query on a database."""

    json_answer: JsonChecker = JsonChecker()
    """How answers of the type `json` are checked: by their gold, a JSON schema or both."""
    call: CallChecker = CallChecker()
    """How answers of the type `call` are checked: the functions, their arguments and the types of these."""
    constraints: ConstraintsChecker = ConstraintsChecker()
    """How answers of the type `constraints` are checked: by instructions that a program can verify."""

    def checkers(self) -> dict[str, AnswerChecker]:
        """The checkers by answer type."""
        fields = (getattr(self, name) for name in AnswerCheckers.model_fields)
        return {checker.answer_type: checker for checker in fields}


MATH, AUTO, COLUMN = "math", "auto", "column"
"""Words for what has no checker here: answers that `Verify` compares, a type by the gold, and a type by the row."""
ANSWER_TYPES = (MATH, *AnswerCheckers().checkers(), AUTO)
"""The types that rows and recipes may name."""
