"""The URL of a callback goes in, and comes out of no dump and no message."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.base import Contract, restored
from shared.contracts.callback import MAX_CALLBACK_URL_CHARS, DeliveryReply
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import RedriveRequest, RunInput
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest

AGENT = {"instructions": "read"}
REQUESTS: list[tuple[type[Any], dict[str, Any]]] = [
    (SectioningRequest, {"input": "text", "sections": [{"name": "tone", "instructions": "judge"}]}),
    (VotingRequest, {"question": "Is it safe?"}),
    (MapReduceRequest, {"documents": [{"id": "one", "content": "text"}], "map": AGENT, "reduce": AGENT}),
    (RedriveRequest, {}),
]
URL = "https://hooks.example.com/?sig=do-not-tell"


@pytest.mark.parametrize(("contract", "body"), REQUESTS)
def test_a_request_knows_its_callback_url_and_never_passes_it_on(contract: type[Any], body: dict[str, Any]) -> None:
    request = contract.model_validate({**body, "callback_url": URL})

    assert request.callback_url == URL
    assert "do-not-tell" not in f"{request!r} {request} {request.model_dump()} {request.model_dump_json()}"
    assert request.model_dump() == contract.model_validate(body).model_dump()
    assert restored(contract, request.model_dump(mode="json")).callback_url is None


@pytest.mark.parametrize(("contract", "body"), REQUESTS)
def test_a_callback_url_has_bounds(contract: type[Contract], body: dict[str, Any]) -> None:
    assert contract.model_validate({**body, "callback_url": "x" * MAX_CALLBACK_URL_CHARS})
    for wrong in ("", "x" * (MAX_CALLBACK_URL_CHARS + 1), 7, [URL]):
        with pytest.raises(ValidationError):
            contract.model_validate({**body, "callback_url": wrong})


def test_the_schema_of_a_request_has_its_callback_url() -> None:
    for contract, _ in REQUESTS:
        assert "callback_url" in contract.model_json_schema()["properties"]


def test_a_run_input_without_a_callback_is_dumped_as_ever() -> None:
    assert RunInput(request={}).model_dump() == {"request": {}, "redrive": None}


@pytest.mark.parametrize(("status", "delivered"), [(None, False), (199, False), (200, True), (299, True), (300, False)])
def test_any_2xx_is_a_delivery(status: int | None, delivered: bool) -> None:
    assert DeliveryReply(status=status).delivered is delivered
