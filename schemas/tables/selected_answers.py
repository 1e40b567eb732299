"""Selected answers: one for each published question, with its reward and the agreement of the samples."""

from schemas.steps import Expectation


def expectations() -> list[Expectation]:
    """The checks of a published table of selected answers."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "question_id"}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "answer", "min_value": 1}),
        Expectation(
            kind="expect_column_values_to_be_between", arguments={"column": "reward", "min_value": 0, "max_value": 1}
        ),
        Expectation(
            kind="expect_column_mean_to_be_between",
            severity="warning",
            arguments={"column": "agreement", "min_value": 0.7},
        ),
    ]
