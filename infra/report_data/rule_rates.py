"""Finds the weakest rule that accepted rows of a dataset, by the error rates of rules that ship with the package."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from schemas.outcomes import Row

RULE_RATES_FILE = Path(__file__).parent / "verifier_rule_rates.toml"
"""Error rates of the rule-based verifier by rule and by type of gold, on mutated and respelled real golds, as measured
by `make bench ONLY=gold_mutants`."""
EXACT_RULE = "identical"
"""The rule that accepts equal texts only. No mutant can reach it, so it has no rate and needs none."""


def read_figures() -> list[Row]:
    """The rates in all and by type of gold, as rows of `schemas.tables.error_rates`."""
    rows: list[Row] = tomllib.loads(RULE_RATES_FILE.read_text())["figures"]
    return rows


def describe_weakest_rule(accepted: Mapping[str, int]) -> str:
    """A sentence about the rule whose false accepts are least excluded, and about rules that were not measured.

    `accepted` holds the number of accepted rows by rule. Empty if no rule but the exact one accepted any.
    """
    rules = {row["rule"]: row["accepts"] for row in tomllib.loads(RULE_RATES_FILE.read_text())["rules"]}
    measured = [rule for rule in accepted if rule in rules and rules[rule]["n"] and rule != EXACT_RULE]
    lines = []
    if measured:
        weakest = max(measured, key=lambda rule: (rules[rule]["high"], accepted[rule]))
        rate = rules[weakest]
        lines.append(
            f"The weakest rule that accepted rows here is {weakest}: {accepted[weakest]:,} of "
            f"{sum(accepted.values()):,} accepted rows. It accepted {rate['wrong']:,} of {rate['n']:,} mutants of real "
            f"golds, so at most {rate['high']:.2%} of wrong answers (95 % interval)."
        )
    if unmeasured := sorted({*accepted} - {*measured, EXACT_RULE}):
        counts = ", ".join(f"{rule} ({accepted[rule]:,} rows)" for rule in unmeasured)
        lines.append(f"No mutant was decided by the rules {counts}, so their rates are unknown.")
    return " ".join(lines)
