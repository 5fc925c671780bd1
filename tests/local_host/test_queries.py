"""The engine lists instances by their ids, a page at a time, as Azure Storage does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import wrappers_pb2

from local_host.direct_call import DirectCall
from local_host.engine import LocalEngine

IDS = ["b2", "a1", "~a1:x", "a3", "a2"]


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    for instance in IDS:
        create(engine, instance)
    yield engine
    engine.stop()


def create(engine: LocalEngine, instance: str) -> None:
    engine.StartInstance(pb.CreateInstanceRequest(instanceId=instance, name="x"), DirectCall().context)


def page(engine: LocalEngine, count: int, token: str = "", prefix: str = "") -> tuple[list[str], str]:
    query = pb.InstanceQuery(maxInstanceCount=count)
    if prefix:
        query.instanceIdPrefix.CopyFrom(wrappers_pb2.StringValue(value=prefix))
    if token:
        query.continuationToken.CopyFrom(wrappers_pb2.StringValue(value=token))
    answer = engine.QueryInstances(pb.QueryInstancesRequest(query=query), DirectCall().context)
    return [state.instanceId for state in answer.orchestrationState], answer.continuationToken.value


def test_instances_come_in_the_order_of_their_ids(engine: LocalEngine) -> None:
    assert page(engine, 100) == (["a1", "a2", "a3", "b2", "~a1:x"], "")


def test_pages_follow_one_another_until_there_is_no_token(engine: LocalEngine) -> None:
    first, token = page(engine, 2, prefix="a")
    second, last = page(engine, 2, token, prefix="a")

    assert (first, second, last) == (["a1", "a2"], ["a3"], "")


def test_an_instance_created_meanwhile_moves_no_page(engine: LocalEngine) -> None:
    _, token = page(engine, 2)
    create(engine, "a0")

    assert page(engine, 2, token)[0] == ["a3", "b2"]


def test_a_token_that_was_made_up_starts_elsewhere_and_reads_nothing_else(engine: LocalEngine) -> None:
    assert page(engine, 9, "a2zzz", prefix="a") == (["a3"], "")
    assert page(engine, 9, "~~~~", prefix="a") == ([], "")
