"""Finds the program in a solution, and the line with the answer in the program's output."""

import re
from collections.abc import Iterator

# matches the start of "```python", "  ~~~", not of "``python", "x ```"
_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)")
# matches the start of "# helper.py", "#file: main.py", not of "# see helper.py", "# ../helper.py"
_FILE_COMMENT = re.compile(r"#[ \t]*(?:[Ff]ile(?:name)?:[ \t]*)?([A-Za-z_][A-Za-z0-9_]{0,60}\.py)[ \t]*(?:\n|$)")
_PYTHON_NAMES = frozenset({"python", "python3", "py"})


def find_program(solution: str) -> str:
    """The last fenced Python block, else the last block without a language, else the whole text; empty if none."""
    blocks = list(_find_blocks(solution))
    if not blocks:
        return solution.strip() and solution
    python = [text for language, text in blocks if language in _PYTHON_NAMES]
    nameless = [text for language, text in blocks if not language]
    return next(iter((python or nameless)[-1:]), "")


def _find_blocks(text: str, takes_unclosed: bool = True) -> Iterator[tuple[str, str]]:
    """Language and text of each block. An unclosed block, as in a truncated reply, ends with the text."""
    fence, language, lines = "", "", list[str]()
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence and match:
            fence, language, lines = match[1], match[2].casefold(), []
        elif fence and match and match[1].startswith(fence) and not match[2]:
            yield language, "\n".join(lines)
            fence = ""
        else:
            lines.append(line)
    if fence and takes_unclosed:
        yield language, "\n".join(lines)


def find_last_line(printed: str) -> str:
    """The last line that is not blank; empty if there is none."""
    return printed.rstrip().rpartition("\n")[2].strip()


def is_cut_off(solution: str) -> bool:
    """Whether the last block of a solution never ends, as in a truncated reply."""
    return len(list(_find_blocks(solution))) > len(list(_find_blocks(solution, takes_unclosed=False)))


def has_block(solution: str) -> bool:
    """Whether a solution has a fenced block in any language."""
    return any(True for _ in _find_blocks(solution))


def find_named_files(solution: str) -> dict[str, str]:
    """The Python blocks whose first line is a comment with a file's name, by name; the last of a name counts."""
    files = {}
    for language, text in _find_blocks(solution):
        if (language in _PYTHON_NAMES or not language) and (match := _FILE_COMMENT.match(text)):
            files[match[1]] = text
    return files


def find_block(text: str, languages: frozenset[str]) -> str | None:
    """The last fenced block in one of the languages, else the last without a language; None if there is none."""
    blocks = list(_find_blocks(text))
    named = [block for language, block in blocks if language in languages]
    nameless = [block for language, block in blocks if not language]
    return next(iter((named or nameless)[-1:]), None)
