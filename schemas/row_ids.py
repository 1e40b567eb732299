"""Builds row ids and takes them apart, in Python and in SQL.

0123456789ab:00000007       row 7 of the input file whose digest starts with these digits
0123456789ab+1:00000007     row 7 of a second file with the same bytes
questioner:000000007        empty row 7, which the generator `questioner` fills
questioner:000000007/0/3    the fourth row made from the first row made from it
"""

import re

FILE_DIGEST_DIGITS = 12
"""Hex digits of a file's digest at the start of its row ids."""
FILE_PREFIX_PATTERN = re.compile(rf"[0-9a-f]{{{FILE_DIGEST_DIGITS}}}(\+\d+)?")


def file_row_id(digest: str, copy_number: int, number: int) -> str:
    """The id of row `number` of an input file; `copy_number` is how many files before it have the same bytes."""
    return f"{digest[:FILE_DIGEST_DIGITS]}{f'+{copy_number}' if copy_number else ''}:{number:08}"


def empty_row_id(prefix: str, number: int) -> str:
    """The id of empty row `number`; `prefix` is a name and a colon, or empty."""
    return f"{prefix}{number:09}"


def child_id(row_id: str, *parts: str | int) -> str:
    """The id of a row that a step makes from another one, e.g. `7/1` from `7`. Each child needs its own `parts`."""
    return "/".join([row_id, *map(str, parts)])


def parent_id(row_id: str) -> str:
    """The id of the row that a row was made from, e.g. `7` for `7/1`. A row without a parent is its own."""
    return row_id.rpartition("/")[0] if "/" in row_id else row_id


def child_id_sql(column: str, part: str) -> str:
    """`child_id` in SQL; `part` is the same text for every row."""
    return f"concat({column}, '/{part}')"


def parent_id_sql(column: str = "row_id") -> str:
    """`parent_id` in SQL."""
    return f"regexp_replace({column}, '/[^/]*$', '')"


def generator_sql(column: str = "row_id") -> str:
    """The part of an id before the colon, in SQL: a generator or a file (see `is_file_prefix`), or empty."""
    return f"CASE WHEN contains({column}, ':') THEN split_part({column}, ':', 1) ELSE '' END"


def is_file_prefix(prefix: str) -> bool:
    """Whether the part of an id before the colon names an input file, not a generator."""
    return FILE_PREFIX_PATTERN.fullmatch(prefix) is not None
