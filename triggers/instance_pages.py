"""One page of the task hub's instances; the SDK's own query reads all pages before it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from shared.task_hub import is_too_large, is_unreachable, status_of

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationQuery, OrchestrationState


class TokenRefusedError(ValueError):
    """The task hub does not take this continuation token."""


@dataclass(frozen=True, slots=True)
class InstancePage:
    """Instances in the task hub's order, and the token of the page after them; None where there is none."""

    states: list[OrchestrationState]
    token: str | None


async def page_of(client: DurableFunctionsClient, query: OrchestrationQuery, token: str | None) -> InstancePage:
    """The page with at most `query.max_instance_count` instances that `token` names, or the first one.

    Custom statuses are there whether or not payloads are asked for. Azure sends outputs too, so that a page may be
    too large for one message: then it is asked for with half as many instances. Payloads that are kept in storage are
    not fetched.
    """
    from durabletask.client import parse_orchestration_state
    from durabletask.internal.client_helpers import (  # pyright: ignore[reportMissingTypeStubs]
        build_query_instances_req,
    )
    from google.protobuf import wrappers_pb2

    stub = cast(Any, client)._get_stub()  # the SDK has no public call for one page
    wrapped = wrappers_pb2.StringValue(value=token) if token else None
    try:
        answer = await stub.QueryInstances(build_query_instances_req(query, wrapped))
    except Exception as exc:
        count = query.max_instance_count or 1
        if is_too_large(exc) and count > 1:
            return await page_of(client, replace(query, max_instance_count=count // 2), token)
        if token and status_of(exc) is not None and not is_unreachable(exc):
            raise TokenRefusedError(token) from exc
        raise
    states = [parse_orchestration_state(state) for state in answer.orchestrationState]
    return InstancePage(states, answer.continuationToken.value or None)
