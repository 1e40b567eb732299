"""Agreement of the verdicts with what they should be, by kind of fault: pairs written for this, and reported cases."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.results import Figure
from tests.bench.support.verdicts import adjudicated
from tests.support import recorded
from tests.support.response_pairs import FAULTS, RESPONSE_PAIRS, find_fault, judge_pairs, load_pairs

PUBLIC_CASES = recorded.SHARED_DATA / "answers" / "public_cases.jsonl"
FILES = {"own": RESPONSE_PAIRS, "public": PUBLIC_CASES}


def measure() -> Iterator[Figure]:
    """The share of each file that agrees, and how many of each fault."""
    for name, path in FILES.items():
        if path.exists():
            yield from _measure_file(name, path)
        else:
            print(f"response_pairs: {name} skipped: needs ../shared/data/answers/{path.name}")


def _measure_file(name: str, path: Path) -> Iterator[Figure]:
    pairs = load_pairs(path)
    known = adjudicated("response_pairs")
    faults, unexplained, of_kind = Counter[tuple[str, str]](), 0, Counter[str]()
    right = Counter[str]()
    for pair, row in zip(pairs, judge_pairs(pairs), strict=True):
        kind = pair["kind"].split()[0]
        fault = find_fault(pair["should"], row["verdict"])
        of_kind[kind] += 1
        right[pair["should"]] += row["verdict"] == pair["should"]
        if fault:
            faults[kind, fault] += 1
            item = f"{pair['question']} | {pair['response']} | {pair['gold']}"
            unexplained += item not in known
            print(
                f"  {kind} {fault}: {item!r} should be {pair['should']}, "
                f"is {row['verdict']} ({row['rule']}, {row['found_by']}): {known.get(item, 'not looked at')}"
            )
    print(f"  {name:<8}{'pairs':>8}" + "".join(f"{fault:>16}" for fault in FAULTS))
    for kind, count in of_kind.items():
        print(f"  {kind:<8}{count:>8}" + "".join(f"{faults[kind, fault]:>16}" for fault in FAULTS))
    totals = {fault: sum(faults[kind, fault] for kind in of_kind) for fault in FAULTS}
    yield Figure(f"{name}_agree", len(pairs) - sum(totals.values()), "pairs", "", f"of {len(pairs)}")
    for fault, target in zip(FAULTS, ("0", "<= 1 %", ""), strict=True):
        yield Figure(f"{name}_{fault.replace(' ', '_')}s", totals[fault], "pairs", target)
    yield Figure(f"{name}_correct", right["correct"], "pairs", "", f"of {sum(p['should'] == 'correct' for p in pairs)}")
    yield Figure(f"{name}_unexplained", unexplained, "pairs", "0")
