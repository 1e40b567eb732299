"""Equal work has an equal name, whatever counts changes it, and where it happens does not."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.arrow import measured, optional, required
from schemas.identity import FrozenModel, NotIdentity, fingerprint, identity
from schemas.names import RESERVED_VIEWS, DatasetName
from schemas.receipts import Receipt, Usage
from schemas.steps import Expectation, Stage

TABLE = pa.schema([required("row_id", pa.string()), optional("n", pa.int64())])


class Knobs(FrozenModel):
    top_p: float = 1.0
    table: Mapping[str, int] = {}
    address: Annotated[str, NotIdentity] = "here"


class Ask(Stage):
    table: ClassVar[pa.Schema] = TABLE

    template: str = "a"
    knobs: Knobs = Knobs()
    many: tuple[Knobs, ...] = ()
    gpu: Annotated[float, NotIdentity] = 0.5


def variant(**attributes: Any) -> Stage:
    """The stage `Ask` as another version of its module would define it."""
    return type("Ask", (Ask,), {"__module__": __name__, "__annotations__": {}, **attributes})()


def test_every_field_counts_also_deep_inside() -> None:
    changed = [
        Ask(template="b"),
        Ask(knobs=Knobs(top_p=0.9)),
        Ask(knobs=Knobs(table={"a": 1})),
        Ask(many=(Knobs(),)),
        Ask(many=(Knobs(top_p=0.9),)),
        Ask(many=(Knobs(), Knobs(top_p=0.9))),
        Ask(many=(Knobs(top_p=0.9), Knobs())),
    ]
    assert len({fingerprint(stage) for stage in [Ask(), *changed]}) == 1 + len(changed)


def test_where_never_counts_also_deep_inside() -> None:
    elsewhere = Knobs(address="there")
    assert fingerprint(Ask()) == fingerprint(Ask(role="solver", gpu=0.9, knobs=elsewhere))
    assert fingerprint(Ask(many=(Knobs(),))) == fingerprint(Ask(many=(elsewhere,)))
    assert "here" not in str(identity(Ask())) and "gpu" not in identity(Ask())


def test_the_order_of_keys_does_not_count_but_that_of_values_does() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint([1, 2]) == fingerprint((1, 2)) != fingerprint([2, 1])
    assert fingerprint("a", "b") != fingerprint("ab") != fingerprint(["a", "b"])


def test_version_name_and_table_count() -> None:
    other_table = pa.schema([required("row_id", pa.string()), measured("n", pa.int64())])
    other_name = type("Tell", (Ask,), {"__module__": __name__, "__annotations__": {}})()
    assert fingerprint(variant()) == fingerprint(Ask())
    others = [variant(version=2), variant(table=other_table), variant(table=TABLE.remove(1)), other_name]
    assert len({fingerprint(stage) for stage in [Ask(), *others]}) == 1 + len(others)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
@settings(deadline=None, max_examples=50)
def test_any_plain_value_has_one_name(value: Any) -> None:
    assert fingerprint(value) == fingerprint(value) and len(fingerprint(value)) == 64


def test_what_has_no_plain_form_is_refused_rather_than_left_out() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        fingerprint({"a", "b"})


def test_a_name_in_the_lake_is_the_class_name_in_snake_case() -> None:
    assert Ask.label == "ask" and type("JudgeAnswer", (Ask,), {"__module__": __name__}).label == "judge_answer"


def test_unknown_fields_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Knobs.model_validate({"top": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Knobs().top_p = 0.5


@given(st.integers(0, 99), st.dictionaries(st.text(), st.integers(0, 9)), st.dictionaries(st.text(), st.integers(0, 9)))
@settings(deadline=None, max_examples=50)
def test_a_receipt_balances_when_each_row_is_accounted_for_once(
    kept: int, no: dict[str, int], bad: dict[str, int]
) -> None:
    rows = kept + sum(no.values()) + sum(bad.values())
    receipt = Receipt(step="s", key="k", inputs=(), rows_in=rows, kept=kept, rejected=no, quarantined=bad)
    assert receipt.is_balanced
    assert not receipt.model_copy(update={"rows_in": rows + 1}).is_balanced
    assert Receipt.model_validate_json(receipt.model_dump_json()) == receipt


def test_found_is_never_stored() -> None:
    receipt = Receipt(step="s", key="k", inputs=(), rows_in=0, kept=0, was_cached=True)
    assert "was_cached" not in receipt.model_dump_json()


def test_a_dataset_may_not_hide_a_view_of_the_lake() -> None:
    names = TypeAdapter(DatasetName)
    assert names.validate_python("funnel_2") == "funnel_2"
    for name in RESERVED_VIEWS:
        with pytest.raises(ValidationError, match="every lake has a view of this name; give another"):
            names.validate_python(name)
    with pytest.raises(ValidationError, match="pattern"):
        names.validate_python("No Name")


def test_an_expectation_names_the_columns_that_it_reads() -> None:
    assert Expectation(kind="k", arguments={"column": "a", "value_set": ["x"]}).columns == ["a"]
    assert Expectation(kind="k", arguments={"column_A": "a", "column_B": "b"}).columns == ["a", "b"]
    assert Expectation(kind="k", arguments={"column_list": ["a", "b"]}).columns == ["a", "b"]
    assert Expectation(kind="k", arguments={"min_value": 1}).columns == []


def test_a_subclass_with_another_default_role_keeps_it_out_of_the_identity() -> None:
    class Solver(Stage):
        role: str | None = "solver"

    assert fingerprint(Solver()) == fingerprint(Solver(role="student"))


def test_usage_that_is_added_and_subtracted_again_leaves_nothing() -> None:
    earlier = Usage(prompt_tokens=1, completion_tokens=2, estimated_tokens=3, usd=0.5, gpu_seconds=4)
    later = Usage(prompt_tokens=10, completion_tokens=20, estimated_tokens=30, usd=8, gpu_seconds=40)
    assert earlier + later - earlier == later and later - later == Usage()


def test_a_copy_with_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="Knobs has no field 'tries'"):
        Knobs().model_copy(update={"tries": 1})
