"""The operations that every pattern has: to start runs of it, and to say what one would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.base import Contract
from shared.contracts.estimate import RunEstimate
from shared.openapi.answers import STARTED
from shared.openapi.operation import Answer, Operation
from shared.openapi.parameters import OF_A_START
from shared.openapi.problems import OF_BODIES, OF_STARTS, OF_THE_HUB
from shared.openapi.tags import ESTIMATES, PATTERNS


def start_of(
    name: str,
    route: str,
    contract: type[Contract],
    samples: Mapping[str, Mapping[str, Any]],
    *,
    summary: str,
    description: str,
    of_storage: tuple[str, ...] = (),
) -> Operation:
    """The operation that starts runs of a pattern."""
    return Operation(
        id=f"Start{name}",
        function=f"start_{route.replace('-', '_')}",
        method="POST",
        route=route,
        tag=PATTERNS,
        summary=summary,
        description=description,
        parameters=OF_A_START,
        request=contract,
        examples=samples,
        answers=STARTED,
        problems=(*OF_BODIES, *OF_STARTS, *of_storage, *OF_THE_HUB),
    )


def estimate_of(
    name: str,
    route: str,
    contract: type[Contract],
    samples: Mapping[str, Mapping[str, Any]],
    *,
    of_storage: tuple[str, ...] = (),
) -> Operation:
    """The operation that says what a run of a pattern would take."""
    words = route.replace("-", " ").replace("map reduce", "map-reduce")
    return Operation(
        id=f"Estimate{name}",
        function=f"estimate_{route.replace('-', '_')}",
        method="POST",
        route=f"{route}/estimate",
        tag=ESTIMATES,
        summary=f"Estimate {words}",
        description="How many calls and tokens a run would take. Takes the request of a start, and starts nothing.",
        request=contract,
        examples=samples,
        answers=(Answer(200, "The estimate.", RunEstimate),),
        problems=(*OF_BODIES, *of_storage),
        visibility="advanced",
    )
