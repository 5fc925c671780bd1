"""One HTTP request as Logic Apps sends it: with the retry policy of its action, and followed through the 202 answers.

What is from Microsoft's pages: 408, 429, 5xx and lost connections are sent again by the policy, the same request each
time; an answer 202 with a Location is polled there with GET, every Retry-After or else every 20 seconds, until another
status comes. What the pages do not say is whether polls have the request's headers; its `authentication` they have.
So a `Wire` can be told either.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from yarl import URL

JSON = dict[str, Any]

USUAL_POLL_S = 20.0
REQUEST_LIMIT_S = 120.0
RESENT = frozenset({408, 429})
NEVER_SENT = re.compile(r"accept-.*|allow|cookie|expires|host|last-modified|origin|set-cookie|transfer-encoding", re.I)
CONTENT_SENT = frozenset({"content-disposition", "content-encoding", "content-type"})
DURATION = re.compile(r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?")


def seconds_of(duration: str) -> float:
    """An ISO 8601 duration of days, hours, minutes and seconds."""
    found = DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        raise ValueError(f"{duration!r} is no duration")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a request is sent again. The usual one has 4 retries, 5 to 45 seconds apart."""

    count: int = 4
    interval_s: float = 7.5
    least_s: float = 5.0
    most_s: float = 45.0
    growing: bool = True

    @classmethod
    def of(cls, given: JSON | None) -> RetryPolicy:
        """The policy of an action's inputs."""
        kind = (given or {}).get("type", "default")
        if given is None or kind == "default":
            return cls()
        if kind == "none":
            return cls(count=0)
        interval_s = seconds_of(given["interval"])
        if kind == "fixed":
            return cls(given["count"], interval_s, interval_s, interval_s, growing=False)
        least_s, most_s = given.get("minimumInterval", "PT5S"), given.get("maximumInterval", "PT1H")
        return cls(given["count"], interval_s, seconds_of(least_s), seconds_of(most_s))

    def wait_s(self, retry: int) -> float:
        """How long to wait before the retry of this number, from 0. The real one draws within these bounds."""
        grown_s = self.interval_s * 2**retry if self.growing else self.interval_s
        return min(max(grown_s, self.least_s), self.most_s)


@dataclass(frozen=True)
class Outgoing:
    """A request as an action's inputs describe it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    policy: RetryPolicy = RetryPolicy()

    @classmethod
    def of(cls, inputs: JSON) -> Outgoing:
        """The request of evaluated inputs."""
        policy = RetryPolicy.of(inputs.get("retryPolicy"))
        return cls(inputs["method"], inputs["uri"], inputs.get("headers", {}), inputs.get("body"), policy)


@dataclass(frozen=True)
class Reply:
    """An answer; without a connection its status is 0."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def outputs(self) -> JSON:
        """What an action's expressions read of it."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": self.body}

    @property
    def succeeded(self) -> bool:
        """Whether the action has succeeded with it."""
        return 200 <= self.status < 300

    @property
    def worth_another(self) -> bool:
        """Whether the retry policy sends the request again."""
        return self.status == 0 or self.status in RESENT or self.status >= 500


@dataclass
class Wire:
    """Sends requests. `pace` is how many real seconds a second of Logic Apps takes here."""

    session: aiohttp.ClientSession
    pace: float
    polls_have_headers: bool = True

    async def pause(self, seconds: float) -> None:
        """Wait as Logic Apps does."""
        await asyncio.sleep(seconds * self.pace)

    async def sent(self, request: Outgoing) -> Reply:
        """The answer to a request, sent again as its policy says."""
        reply = await self._once(request)
        for retry in range(request.policy.count):
            if not reply.worth_another:
                break
            asked_s = reply.headers.get("Retry-After", "")
            await self.pause(float(asked_s) if asked_s.isdigit() else request.policy.wait_s(retry))
            reply = await self._once(request)
        return reply

    async def followed(self, request: Outgoing) -> Reply:
        """The answer that is no 202 any more."""
        reply = await self.sent(request)
        while reply.status == 202 and "Location" in reply.headers:
            await self.pause(float(reply.headers.get("Retry-After", USUAL_POLL_S)))
            headers = request.headers if self.polls_have_headers else {}
            poll = replace(request, method="GET", url=reply.headers["Location"], headers=headers, body=None)
            reply = await self.sent(poll)
        return reply

    async def _once(self, request: Outgoing) -> Reply:
        try:
            async with (
                asyncio.timeout(REQUEST_LIMIT_S),
                self.session.request(
                    request.method, URL(request.url, encoded=True), headers=sendable(request.headers), json=request.body
                ) as answer,
            ):
                text = await answer.text()
                return Reply(answer.status, answer.headers.copy(), _read(text, answer.content_type))
        except (aiohttp.ClientError, TimeoutError):
            return Reply(0, {}, None)


def sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that Logic Apps does not take away."""
    return {
        name: value
        for name, value in headers.items()
        if not NEVER_SENT.fullmatch(name) and (not name.lower().startswith("content-") or name.lower() in CONTENT_SENT)
    }


def _read(text: str, content_type: str) -> Any:
    return json.loads(text) if content_type.endswith("json") and text else text
