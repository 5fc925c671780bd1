"""The saved queries ask for what Azure Monitor's exporter sends. Whether Azure takes them: nothing here parses KQL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from local_host.testing import ROOT
from shared.telemetry.exporters import to_azure_monitor
from shared.telemetry.facts import AnswerFacts, AttemptFacts, ChatFacts, ChatTexts, RunFacts
from shared.telemetry.open_telemetry import OpenTelemetry
from tests.azure_monitor_receiver import AzureMonitorReceiver, Row

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RUN = RunFacts("r", "voting", "failed", "cancelled", NOW, NOW, recipe="p")
ATTEMPT = AttemptFacts("r", "b", 1, "a", "p")
CHAT = ChatFacts("openai", "m", "host")
ANSWER = AnswerFacts("m", 1, 1, "content_filter", "content_filtered", 400)
QUERIES = sorted(Path(ROOT, "docs", "queries").glob("*.kql"))
TABLE = re.compile(r'dependencies\n\| where [^\n]*name startswith "(\w+ )"([^;]*)')
"""What a query reads from the table, up to the end of its statement."""


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Row]]:
    """The dependencies of a failed attempt and of its run."""
    with AzureMonitorReceiver() as receiver, patch.dict(os.environ):
        telemetry = OpenTelemetry([to_azure_monitor(receiver.connection_string, os.environ)])
        with telemetry.attempt(ATTEMPT) as attempt:
            with telemetry.chat(CHAT) as chat:
                chat.ended(ANSWER, ChatTexts("", ""))
            attempt.failed("content_filtered")
        telemetry.run_ended(RUN)
        telemetry.close()
        yield receiver.rows["dependencies"]


def row_of(rows: list[Row], name: str) -> Row:
    [found] = [row for row in rows if row["name"].startswith(name)]
    return found


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.stem)
def test_a_query_asks_for_dimensions_that_arrive(query: Path, rows: list[Row]) -> None:
    text = query.read_text()
    tables = TABLE.findall(text)
    asked = {(name, key) for name, block in tables for key in re.findall(r'customDimensions\["([^"]+)"\]', block)}

    assert len(tables) == text.count("dependencies\n")
    assert len(asked) == len(set(re.findall(r'customDimensions\["[^"]+"\]', text)))
    assert [(name, key) for name, key in asked if not row_of(rows, name)["customDimensions"].get(key)] == []


def test_the_calls_of_an_attempt_are_joined_by_its_id(rows: list[Row]) -> None:
    attempt, chat, run = (row_of(rows, name) for name in ("invoke_agent ", "chat ", "invoke_workflow "))

    assert (chat["operation_Id"], chat["operation_ParentId"]) == (attempt["operation_Id"], attempt["id"])
    assert (attempt["operation_Id"], attempt["operation_ParentId"]) == (run["operation_Id"], run["id"])


def test_a_failed_attempt_arrives_with_its_code(rows: list[Row]) -> None:
    attempt = row_of(rows, "invoke_agent ")

    assert (attempt["success"], attempt["customDimensions"]["chorus.error_code"]) == (False, "content_filtered")


def test_there_is_a_query_for_costs_for_failures_and_for_what_is_slow() -> None:
    assert [query.stem for query in QUERIES] == ["cost_by_recipe", "failure_reasons", "slowest_branches"]
