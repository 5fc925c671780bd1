"""The calls to the model that this process has under way, so that one which nobody waits for any more can be given up.

Giving up closes the connection: the place of the call is free again, and a service that watches its connections stops
working on it. A call may be given up by the process that hears of it first: at once where `stop_calls` runs, elsewhere
when the call asks whether it is still wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from activities.names import shard_of

ASK_EVERY_S = 5.0
"""How often a call in flight asks whether it is still wanted: cheap next to a call that long."""


class CallGivenUpError(Exception):
    """The call was given up: nobody waits for its answer."""


class CallsInFlight:
    """Calls by their ids. The methods may be called on any event loop.

    A call's id is that of the orchestration that waits for it, or what `unit_call_id` makes for one of a shard's many.
    """

    def __init__(self, ask_every_s: float = ASK_EVERY_S) -> None:
        self._ask_every_s = ask_every_s
        self._calls: dict[str, asyncio.Future[Any]] = {}

    async def answer[T](self, instance: str, work: Awaitable[T], is_wanted: Callable[[], Awaitable[bool]]) -> T:
        """What `work` comes to; raise `CallGivenUpError` when it was given up before."""
        call = asyncio.ensure_future(work)
        self._calls[instance] = call
        try:
            while not (await asyncio.wait({call}, timeout=self._ask_every_s))[0]:
                if not await is_wanted():
                    call.cancel()
            return call.result()
        except asyncio.CancelledError:
            if call.cancelled():
                raise CallGivenUpError(f"the call of {instance!r} was given up") from None
            raise  # the process itself is stopping
        finally:
            call.cancel()
            if self._calls.get(instance) is call:
                del self._calls[instance]

    def give_up(self, instances: list[str]) -> None:
        """Give up the calls with these ids, and those of the shards with these ids, as far as they are here."""
        unwanted = set(instances)
        self._give_up(lambda call: call in unwanted or shard_of(call) in unwanted)

    def give_up_under(self, prefix: str) -> None:
        """Give up all calls whose ids begin with `prefix`, as far as they are here."""
        self._give_up(lambda call: call.startswith(prefix))

    def _give_up(self, is_unwanted: Callable[[str], bool]) -> None:
        for name, call in list(self._calls.items()):
            if is_unwanted(name):
                call.get_loop().call_soon_threadsafe(call.cancel)


IN_FLIGHT = CallsInFlight()
"""Those of this process."""
