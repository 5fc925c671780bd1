"""What calls cost, added up and divided."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.branch import Usage

AMOUNTS = st.integers(0, 10**7)
USAGES = st.builds(
    Usage, model_calls=st.integers(0, 3), input_tokens=AMOUNTS, output_tokens=AMOUNTS, total_tokens=AMOUNTS
)


@given(USAGES, st.integers(1, 100))
def test_the_shares_of_a_call_s_usage_add_up_to_it(usage: Usage, count: int) -> None:
    divided = usage.shares(count)

    assert len(divided) == count
    assert sum(divided, start=Usage()) == usage
    assert all(share == divided[-1] for share in divided[1:])


@given(AMOUNTS, AMOUNTS, st.integers(1, 100))
def test_a_share_s_total_is_its_input_and_output(inputs: int, outputs: int, count: int) -> None:
    usage = Usage(model_calls=1, input_tokens=inputs, output_tokens=outputs, total_tokens=inputs + outputs)

    assert all(share.total_tokens == share.input_tokens + share.output_tokens for share in usage.shares(count))
