"""Rules, reasons and values in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from shared.contracts.rules import (
    AnyRule,
    Condorcet,
    PerCriterion,
    Supermajority,
    TrimmedMean,
    Veto,
    Weighted,
)

RULES_IN_WORDS: Mapping[str, str] = {
    "plurality": "plurality: the answer with the most votes",
    "majority": "majority: more than half of the votes counted",
    "unanimous": "unanimity: the answer that every counted vote gives",
    "approval": "approval: the option that most voters approve of",
    "borda": "Borda count: a point for each option that a voter ranks below it",
    "instant_runoff": "instant runoff: the option first on the fewest ballots leaves until one has more than half",
    "median": "median: the middle number",
    "self_consistency": "self-consistency: the largest group of answers that mean the same, grouped by a judge",
    "best_of": "best of N: the answer that a judge ranks best, in an order and in its reverse",
}
"""The rules without parameters, by type."""

WEIGHING: Mapping[str, str] = {
    "weight": "each vote counts its voter's weight",
    "confidence": "each vote counts its voter's confidence",
    "both": "each vote counts its voter's weight times confidence",
}

COMPLETIONS: Mapping[str, str] = {
    "schulze": "a cycle is resolved by the Schulze method",
    "ranked_pairs": "a cycle is resolved by ranked pairs",
    "minimax": "a cycle is resolved by minimax",
    "none": "a cycle leaves it undecided",
}


def rule_in_words(rule: AnyRule) -> str:
    """The rule with its parameters, as `name: what it asks for`; not escaped, for a veto holds a caller's text."""
    match rule:
        case Supermajority():
            return f"supermajority: at least {percent(rule.threshold)} of the votes counted"
        case Veto():
            voters = "one voter gives" if rule.count == 1 else f"{rule.count} voters give"
            return f'veto: "{said(rule.answer)}" as soon as {voters} it, else the plurality of the others'
        case Weighted():
            needed = "" if rule.threshold is None else f", and at least {percent(rule.threshold)} of it is needed"
            return f"weighted: the answer with the greatest weight; {WEIGHING[rule.by]}{needed}"
        case Condorcet():
            return f"Condorcet: the option that beats every other in direct comparison; {COMPLETIONS[rule.completion]}"
        case TrimmedMean():
            return f"trimmed mean: the mean without the outer {percent(rule.trim)} of the numbers at either end"
        case _:
            return _per_criterion(rule) if isinstance(rule, PerCriterion) else RULES_IN_WORDS[rule.type]


def _per_criterion(rule: PerCriterion) -> str:
    overall = f"per criterion: the weighted mean of each criterion's {rule.statistic}"
    return overall if rule.threshold is None else f"{overall}; it passes from {number(rule.threshold)} up"


def said(value: JsonValue, *, separator: str = ", ") -> str:
    """An answer as a person would say it; `separator` stands between the items of a list. Not escaped."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case list():
            return separator.join(said(item) for item in value) or "none"
        case dict():
            return ", ".join(f"{name}: {said(item)}" for name, item in value.items()) or "none"
        case str():
            return value


def number(value: float) -> str:
    """Four decimals at most, and none that are zeros; very small ones in scientific notation."""
    if not value:
        return "0"
    if abs(value) < 1e-4:  # noqa: PLR2004 - what four decimals cannot show
        return f"{value:.3g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """A share of one, with a decimal where it matters: 66.7 %, 50 %."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def counted(count: int, noun: str) -> str:
    """`1 voter`, `2 voters`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
