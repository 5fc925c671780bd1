"""What the app is known to get wrong, each as the smallest run that shows it. A test that passes here was mended."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import Chorus, outcomes_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.xfail(
    strict=True,
    reason="after one throttled call, `AdaptiveWindow.is_calm` waits for the ends of twice as many calls as the window "
    "has places: a run with fewer calls left hedges nothing any more, however long ago the throttle was",
)
async def test_a_call_that_hangs_long_after_a_throttled_one_is_hedged(chorus: Chorus) -> None:
    sections = [
        {"name": "throttled", "instructions": "Summarise. [[fault:throttle:0.1*1]] once"},
        {"name": "hung", "instructions": "Summarise. [[fault:hang*1]] after a throttle"},
    ]
    policy = {"hedge_after_s": 2, "max_hedge_percentage": 100, "branch_timeout_s": 5}
    result = await chorus.run(
        "sectioning", {"input": "Text.", "sections": sections, "aggregation": "concatenate", "policy": policy}
    )
    assert outcomes_of(result)["throttled"]["status"] == "succeeded"
    assert outcomes_of(result)["hung"]["hedges"] == 1
