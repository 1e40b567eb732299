"""Selected answers: one for each published question, with its reward and the agreement of the samples."""

from schemas.steps import Expectation

LARGEST_SHARE = 0.2
"""Share of all rows that one answer or one text may have without a warning: a misread reply gives all the same one."""


def expectations() -> list[Expectation]:
    """The checks of a published table of selected answers."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "question_id"}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "answer", "min_value": 1}),
        Expectation(
            kind="expect_column_values_to_be_between", arguments={"column": "reward", "min_value": 0, "max_value": 1}
        ),
        Expectation(kind="expect_column_values_to_vary", arguments={"column": "reward"}),
        Expectation(
            kind="expect_column_mean_to_be_between",
            severity="warning",
            arguments={"column": "agreement", "min_value": 0.7},
        ),
        *(
            Expectation(
                kind="expect_column_most_common_value_share_to_be_at_most",
                severity="warning",
                arguments={"column": column, "max_share": LARGEST_SHARE},
            )
            for column in ("answer_key", "question")
        ),
    ]
