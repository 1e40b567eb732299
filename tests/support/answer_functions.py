"""Functions of a user's that check responses, for the tests of the answer type `function`."""

import itertools
import os
import re
import socket
import sys
from typing import Any


def find_answer(response: str) -> str:
    tagged = re.findall(r"<answer>(.*?)</answer>", response, re.DOTALL)
    return tagged[-1].strip() if tagged else ""


def sudoku(question: str, response: str, gold: str, row: dict[str, Any]) -> bool:
    rows = [re.findall(r"[0-9]", line) for line in find_answer(response).splitlines() if line.strip()]
    puzzle = gold.split("/")
    if len(rows) != 4 or any(len(cells) != 4 for cells in rows):
        return False
    cells = ["".join(each) for each in rows]
    if any(
        given not in (".", cell)
        for line, start in zip(cells, puzzle, strict=False)
        for cell, given in zip(line, start, strict=False)
    ):
        return False
    groups = cells + ["".join(column) for column in zip(*cells, strict=True)]
    groups += [cells[r][c : c + 2] + cells[r + 1][c : c + 2] for r, c in itertools.product((0, 2), (0, 2))]
    return all(sorted(group) == ["1", "2", "3", "4"] for group in groups)


def countdown(question: str, response: str, gold: str, row: dict[str, Any]) -> str:
    numbers, target = gold.split("->")
    text = find_answer(response)
    try:
        value = calculate(text.split("=")[0])  # type: ignore[name-defined]  # noqa: F821  # the sandbox has it
    except ValueError:
        return "wrong"
    used = sorted(map(int, re.findall(r"[0-9]+", text)))
    return "correct" if value == int(target) and used == sorted(map(int, numbers.split())) else "wrong"


def queens(question: str, response: str, gold: str, row: dict[str, Any]) -> int:
    columns, n = [int(c) for c in re.findall(r"[0-9]+", find_answer(response))], int(gold)
    fits = len(columns) == n and sorted(columns) == list(range(1, n + 1))
    diagonals = [{r + c for r, c in enumerate(columns)}, {r - c for r, c in enumerate(columns)}]
    return int(fits and all(len(each) == n for each in diagonals))


def subset_sum(question: str, response: str, gold: str, row: dict[str, Any]) -> float:
    numbers, target = gold.split("->")
    pool = [int(x) for x in numbers.split()]
    picked = [int(x) for x in re.findall(r"-?[0-9]+", find_answer(response))]
    for x in picked:
        if x not in pool:
            return 0.0
        pool.remove(x)
    return 0.5 * bool(picked) + 0.5 * (bool(picked) and sum(picked) == int(target))


def order(question: str, response: str, gold: str, row: dict[str, Any]) -> bool:
    edges = [tuple(edge.split(">")) for edge in gold.split()]
    tasks = re.findall(r"[A-Z]", find_answer(response))
    nodes = sorted({node for edge in edges for node in edge})
    return sorted(tasks) == nodes and all(tasks.index(a) < tasks.index(b) for a, b in edges)


def equal(question: str, response: str, gold: str, row: dict[str, Any]) -> bool:
    return find_answer(response) == gold


def returns(question: str, response: str, gold: str, row: dict[str, Any]) -> Any:
    """Give back a value of the row, or one that no row can hold."""
    special = {"nan": float("nan"), "inf": float("inf"), "object": object(), "tuple": (True,), "set": {1}, "none": None}
    return special[row["special"]] if "special" in row else row["value"]


def hostile(question: str, response: str, gold: str, row: dict[str, Any]) -> Any:
    """Misbehave as the row says."""
    kind = row["kind"]
    if kind == "endless":
        while True:
            pass
    if kind == "memory":
        values = [0]
        while True:
            values += values
    if kind == "prints":
        while True:
            print("correct" * 1000)
    if kind == "forks":
        while True:
            os.fork()
    if kind == "file":
        with open("/etc/passwd") as file:
            return "root" in file.read()
    if kind == "socket":
        return bool(socket.socket())
    if kind == "exit":
        sys.exit(0)
    if kind == "ends":
        os._exit(0)
    if kind == "recursion":
        return hostile(question, response, gold, row)
    if kind == "evaluates":
        return eval(find_answer(response)) == int(gold)
    raise ValueError(kind)
