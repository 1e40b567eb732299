"""Finds the program in a solution, and the line with the answer in the program's output."""

import re
from collections.abc import Iterator

# matches the start of "```python", "  ~~~", not of "``python", "x ```"
_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)")
_PYTHON_NAMES = frozenset({"python", "python3", "py"})


def find_program(solution: str) -> str:
    """The last fenced Python block, else the last block without a language, else the whole text; empty if none."""
    blocks = list(_find_blocks(solution))
    if not blocks:
        return solution.strip() and solution
    python = [text for language, text in blocks if language in _PYTHON_NAMES]
    nameless = [text for language, text in blocks if not language]
    return next(iter((python or nameless)[-1:]), "")


def _find_blocks(text: str) -> Iterator[tuple[str, str]]:
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
    if fence:
        yield language, "\n".join(lines)


def find_last_line(printed: str) -> str:
    """The last line that is not blank; empty if there is none."""
    return printed.rstrip().rpartition("\n")[2].strip()
