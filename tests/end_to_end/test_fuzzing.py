"""The API keeps to its own definition, whatever is sent; `make fuzz` sends more."""

from __future__ import annotations

import re
import sys

import pytest

from tests.end_to_end.conftest import running_chorus
from tests.end_to_end.fuzz import BY_ESTIMATES_ALONE, CONFIG, fuzzed

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 5
LIMIT_S = 600
LEAST_CASES = 1_000


async def test_no_request_meets_a_server_error_or_an_answer_that_the_definition_does_not_have() -> None:
    async with running_chorus() as chorus:
        code, said = await fuzzed(chorus.base_url, CONFIG.read_text() + BY_ESTIMATES_ALONE, EXAMPLES, LIMIT_S)
        log = chorus.host.output

    assert code == 0, said
    [(cases, passed)] = re.findall(r"(\d+) generated, (\d+) passed", said)
    sys.stdout.write(f"schemathesis: {cases} cases, {passed} passed\n")
    assert int(cases) == int(passed) >= LEAST_CASES
    assert "incident" not in log
    assert "Traceback" not in log
