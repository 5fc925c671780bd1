"""Outputs one after the other, under their names."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.branch import BranchOutcome
from shared.prompts import as_text


def concatenated(outcomes: Sequence[BranchOutcome]) -> str:
    """Markdown: a heading for each outcome's name, then its output (JSON for structured ones)."""
    return "\n\n".join(f"## {outcome.name}\n\n{as_text(outcome.output).strip()}" for outcome in outcomes)
