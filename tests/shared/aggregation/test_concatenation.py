from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.concatenation import concatenated
from tests.shared.aggregation.outcomes import succeeded
from tests.shared.strategies import TEXTS


def test_outputs_stand_under_their_names_in_branch_order() -> None:
    outcomes = [succeeded("tone", " calm \n"), succeeded("facts", {"ok": True, "who": "Zoë"})]

    assert concatenated(outcomes) == '## tone\n\ncalm\n\n## facts\n\n{\n  "ok": true,\n  "who": "Zoë"\n}'


def test_of_nothing_there_is_an_empty_text() -> None:
    assert concatenated([]) == ""


@given(st.lists(TEXTS, max_size=5))
def test_every_output_is_in_it_and_in_order(outputs: list[str]) -> None:
    text = concatenated([succeeded(f"s{number}", output) for number, output in enumerate(outputs)])

    position = 0
    for number, output in enumerate(outputs):
        heading = f"## s{number}\n\n{output.strip()}"
        position = text.index(heading, position) + len(heading)
