"""Stages of shards in a relay, on the in-memory engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orchestrators.relay import ANSWERED, Stages, refusal, singles, unit


@pytest.fixture
def stages() -> Iterator[Stages]:
    with Stages() as made:
        yield made


def test_all_works_of_all_pages_are_called_once_and_counted(stages: Stages) -> None:
    stages.pages.seconds = lambda _: 0.05
    result = stages.run_stage(singles(4, 5), max_concurrency=3)
    assert (result["succeeded"], result["failed"], result["interruption"]) == (20, 0, None)
    assert sorted(reading.unit for reading in stages.pages.readings) == sorted(
        f"{page}.{number}" for page in range(1, 5) for number in range(1, 6)
    )
    assert sorted(stages.pages.closed) == [1, 2, 3, 4]
    assert stages.pages.most == 3
    assert (result["usage"]["total_tokens"], result["spent"]) == (300, 300)
