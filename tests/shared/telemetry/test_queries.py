"""The saved queries ask for what is told. Whether Azure takes them is not tried here: nothing parses KQL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_host.testing import ROOT
from shared.telemetry.facts import AnswerFacts, AttemptFacts, ChatFacts, RunFacts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RUN = RunFacts("r", "voting", "failed", "cancelled", NOW, NOW, recipe="p")
ATTEMPT = AttemptFacts("r", "b", 1, "a", "p")
CHAT = ChatFacts("openai", "m", "host")
ANSWER = AnswerFacts("m", 1, 1, "stop", "refused", 400)
TOLD = RUN.attributes | ATTEMPT.attributes | CHAT.attributes | ANSWER.attributes
QUERIES = sorted(Path(ROOT, "docs", "queries").glob("*.kql"))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.stem)
def test_a_query_asks_for_attributes_and_spans_that_there_are(query: Path) -> None:
    text = query.read_text()
    attributes = set(re.findall(r'customDimensions\["([^"]+)"\]', text))
    spans = set(re.findall(r'name startswith "(\w+) "', text))

    assert attributes
    assert attributes <= set(TOLD)
    assert spans <= {RUN.name.split()[0], CHAT.name.split()[0], "invoke_agent"}
    assert spans


def test_there_is_a_query_for_costs_for_failures_and_for_what_is_slow() -> None:
    assert [query.stem for query in QUERIES] == ["cost_by_recipe", "failure_reasons", "slowest_branches"]
