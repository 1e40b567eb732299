r"""Replies that are JSON: backslashes that were written once, counts that are none, and what is no object."""

import pytest

from tasks.base.json_reply import LARGEST_COUNT, parse_count, parse_json_reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"a": "3 \times 12 \neq 30"}', {"a": r"3 \times 12 \neq 30"}),
        (r'{"a": "\frac{1}{2} \(x\)"}', {"a": r"\frac{1}{2} \(x\)"}),
        (r'{"a": "3 \\times 12"}', {"a": r"3 \times 12"}),
        (r'{"a": "one\nSecond\tline \"q\""}', {"a": 'one\nSecond\tline "q"'}),
        ('  {"step": 2}', {"step": 2}),
        ("[1]", {}),
        ("{", {}),
        ('{"a":' + "[" * 5000, {}),
        ("Step: 2", {}),
    ],
)
def test_a_json_reply_is_read_as_it_was_meant(text: str, expected: dict[str, object]) -> None:
    assert parse_json_reply(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        ("3.", 3),
        ("**3**", 3),
        ("000000019", 19),
        ("9" * 5000, LARGEST_COUNT),
        (-1, None),
        (1.5, None),
        ("two", None),
    ],
)
def test_a_count_is_a_count(value: object, expected: int | None) -> None:
    assert parse_count(value) == expected


def test_infinity_is_no_count() -> None:
    assert parse_count(parse_json_reply('{"step": Infinity}')["step"]) is None
