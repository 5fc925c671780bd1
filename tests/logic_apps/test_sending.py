"""How the simulator sends: when it tries again and when it gives up, as the reference of Logic Apps has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.logic_apps.sending import Outgoing, RetryPolicy, Wire, seconds_of, sendable

SWIFT = RetryPolicy(count=2)


class Moody:
    """A server that answers with the statuses that it is given, one after the other, and the last for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self.location = ""
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        headers = {"Location": f"{self.url}{self.location}"} if self.location else {}
        return web.Response(status=status, headers=headers)


@pytest_asyncio.fixture
async def moody() -> AsyncIterator[Moody]:
    server, app = Moody(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session:
        yield Wire(session, pace=0)


@pytest.mark.parametrize(
    ("statuses", "asked", "status"),
    [
        ([200], 1, 200),
        ([503, 408, 200], 3, 200),
        ([500], 3, 500),
        ([400, 200], 1, 400),
        ([422, 200], 1, 422),
    ],
)
async def test_what_may_pass_is_sent_again_as_often_as_the_policy_says(
    moody: Moody, wire: Wire, statuses: list[int], asked: int, status: int
) -> None:
    moody.statuses = statuses

    reply = await wire.sent(Outgoing("POST", f"{moody.url}/start", policy=SWIFT))

    assert (len(moody.asked), reply.status) == (asked, status)


async def test_a_202_with_a_place_to_ask_is_followed_there(moody: Moody, wire: Wire) -> None:
    moody.statuses, moody.location = [202, 202, 503, 202, 200], "/runs/1"

    reply = await wire.followed(Outgoing("POST", f"{moody.url}/start", policy=SWIFT))

    assert moody.asked == ["POST /start", *["GET /runs/1"] * 4]
    assert reply.status == 200


async def test_a_202_without_a_place_to_ask_is_the_answer(moody: Moody, wire: Wire) -> None:
    moody.statuses = [202]

    reply = await wire.followed(Outgoing("POST", f"{moody.url}/start"))

    assert (len(moody.asked), reply.status, reply.succeeded) == (1, 202, True)


async def test_where_nobody_answers_the_reply_has_no_status(wire: Wire) -> None:
    reply = await wire.sent(Outgoing("GET", "http://127.0.0.1:1/", policy=SWIFT))

    assert (reply.status, reply.succeeded) == (0, False)


@given(retry=st.integers(0, 90), count=st.integers(1, 90))
def test_waits_grow_and_stay_within_the_bounds_of_their_policy(retry: int, count: int) -> None:
    usual = RetryPolicy.of(None)
    given = {"type": "exponential", "count": count, "interval": "PT10S", "maximumInterval": "PT1M"}
    own = RetryPolicy.of(given)

    assert 5 <= usual.wait_s(retry) <= usual.wait_s(retry + 1) <= 45
    assert 10 <= own.wait_s(retry) <= 60
    assert own.count == count


def test_a_fixed_policy_always_waits_the_same_and_none_never_tries_again() -> None:
    fixed = RetryPolicy.of({"type": "fixed", "count": 3, "interval": "PT1M"})

    assert {fixed.wait_s(retry) for retry in range(9)} == {60}
    assert RetryPolicy.of({"type": "none"}).count == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT10S", 10), ("PT1H", 3_600), ("P3D", 259_200), ("P1DT2H3M4.5S", 93_784.5)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "10", "1H", "P1M"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds_of(text)


def test_headers_that_logic_apps_takes_away_are_not_sent() -> None:
    asked = {"Accept-Language": "en", "Content-Length": "3", "Content-Type": "text/plain", "Host": "x", "X-Own": "y"}

    assert sendable(asked) == {"Content-Type": "text/plain", "X-Own": "y"}
