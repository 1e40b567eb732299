"""Row ids: what they are made of, and how code and SQL build them and take them apart.

0123456789ab:00000007       row 7 of the input file whose digest begins so; of its second copy `0123456789ab+1:...`
questioner:000000007        the empty row 7 that the generator `questioner` fills
questioner:000000007/0/3    what came fourth of what came first of it
"""

import re

FILE_DIGEST_DIGITS = 12
"""Hex digits of a file's digest that begin the ids of its rows."""
FILE_PREFIX_PATTERN = re.compile(rf"[0-9a-f]{{{FILE_DIGEST_DIGITS}}}(\+\d+)?")


def file_row_id(digest: str, copy_number: int, number: int) -> str:
    """Row `number` of an input file; `copy_number` says how many files before it have the same bytes."""
    return f"{digest[:FILE_DIGEST_DIGITS]}{f'+{copy_number}' if copy_number else ''}:{number:08}"


def empty_row_id(prefix: str, number: int) -> str:
    """Empty row `number`; `prefix` is a name and a colon, or empty."""
    return f"{prefix}{number:09}"


def child_id(row_id: str, *parts: str | int) -> str:
    """The id of what a step makes of a row: `7/1` of `7`; no two children of a row have the same `parts`."""
    return "/".join([row_id, *map(str, parts)])


def parent_id(row_id: str) -> str:
    """The row that a row was made of: `7` of `7/1`. One that has no parent is its own."""
    return row_id.rpartition("/")[0] if "/" in row_id else row_id


def child_id_sql(column: str, part: str) -> str:
    """`child_id` in SQL; `part` is the same text for every row."""
    return f"concat({column}, '/{part}')"


def parent_id_sql(column: str = "row_id") -> str:
    """`parent_id` in SQL."""
    return f"regexp_replace({column}, '/[^/]*$', '')"


def generator_sql(column: str = "row_id") -> str:
    """What stands before the colon of an id, in SQL: a generator, or a file (see `is_file_prefix`); else empty."""
    return f"CASE WHEN contains({column}, ':') THEN split_part({column}, ':', 1) ELSE '' END"


def is_file_prefix(prefix: str) -> bool:
    """Whether what stands before the colon names an input file, not a generator."""
    return FILE_PREFIX_PATTERN.fullmatch(prefix) is not None
