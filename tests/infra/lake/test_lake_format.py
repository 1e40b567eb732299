"""A lake of an earlier format is refused with the way out, and one of this format is marked once."""

import pytest

from infra.lake.lake_format import FORMAT, MARK, check_format, mark_format
from infra.lake.store import open_store
from schemas.errors import BadInput


def test_an_empty_lake_is_marked_with_the_format_of_this_version_and_may_be_opened_again(lake: str) -> None:
    store = open_store(lake)
    check_format(store)
    assert store.read(MARK) is None, "a check writes nothing"
    mark_format(store)
    mark_format(store)
    check_format(store)
    assert store.read(MARK) == f"{FORMAT}\n".encode()


@pytest.mark.parametrize("mark", [None, b"1\n", b"3\n"])
def test_a_lake_of_another_format_is_refused_and_nothing_is_written(lake: str, mark: bytes | None) -> None:
    store = open_store(lake)
    store.write("receipts/judged/0.json", b"{}")
    if mark is not None:
        store.write(MARK, mark)
    for refuse in (check_format, mark_format):
        with pytest.raises(BadInput, match=r"has format [13], and this version reads format 2; name an empty one"):
            refuse(store)
    assert store.read(MARK) == mark
