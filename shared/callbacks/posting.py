"""Sends a callback to an address that was checked, and to no other.

The name is resolved once for an attempt, by the resolver that the connection itself uses: every address must be public,
and the connection goes to one of those, while TLS asks for a certificate of the name. There is no moment between the
check and the connection in which a name could come to mean something else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, cast

from shared.callbacks.addresses import refusal_of
from shared.callbacks.targets import Target
from shared.contracts.callback import DeliveryReply
from shared.errors import CallbackRefused

if TYPE_CHECKING:
    from aiohttp import ClientSession

LOG = logging.getLogger("chorus.callbacks")

TIME_LIMIT_S = 20.0
"""For an attempt as a whole: a receiver is expected to answer first, and to work afterwards."""
MAX_ANSWER_BYTES = 4_096
"""So much is read of the answer's body, so that a well-meaning receiver can finish; it means nothing."""

LookUp = Callable[[str, int], Awaitable[list[str]]]


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True, slots=True)
class CheckedResolver:
    """aiohttp's resolver for one target. It gives all addresses of the host, or refuses if one of them is refused."""

    target: Target
    look_up: LookUp = look_up

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[dict[str, Any]]:
        """The host's addresses; `CallbackRefused` if one of them must not be connected to."""
        del family
        addresses = await self.look_up(host, port)
        check(self.target, addresses)
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def check(target: Target, addresses: list[str]) -> None:
    """Raise `CallbackRefused` unless the target may be called at all of these addresses."""
    if not addresses:
        raise CallbackRefused(f"{target.name!r} has no address")
    for address in addresses:
        if reason := refusal_of(address, loopback=target.is_loopback):
            raise CallbackRefused(f"{target.name!r} is not called: {reason}")


async def post(
    target: Target, body: str, headers: Mapping[str, str], *, look_up: LookUp = look_up, tls: SSLContext | None = None
) -> DeliveryReply:
    """POST `body` once, following no redirect; the reply tells of whatever went wrong, never with the URL in it."""
    try:
        async with asyncio.timeout(TIME_LIMIT_S), _session(target, look_up, tls) as session:
            return await _answer(session, target, body, headers)
    except CallbackRefused as exc:
        return DeliveryReply(error=str(exc))
    except TimeoutError:
        return DeliveryReply(error=f"no answer within {TIME_LIMIT_S:g} s")
    except Exception as exc:  # noqa: BLE001 - what libraries say of a URL may have all of it
        return DeliveryReply(error=_told_of(exc))


def _session(target: Target, look_up: LookUp, tls: SSLContext | None) -> ClientSession:
    from aiohttp import ClientSession, DummyCookieJar, TCPConnector

    connector = TCPConnector(
        resolver=cast(Any, CheckedResolver(target, look_up)),
        use_dns_cache=False,
        force_close=True,
        ssl=True if tls is None else tls,
    )
    # Without trust_env there is no proxy, which would resolve the name once more.
    return ClientSession(connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False)


async def _answer(session: ClientSession, target: Target, body: str, headers: Mapping[str, str]) -> DeliveryReply:
    from aiohttp import ClientError
    from yarl import URL

    # As it was written: a signature in its query is over these very characters.
    url = URL(target.url, encoded=True)
    wanted = {"User-Agent": "chorus-callbacks", "Accept-Encoding": "identity", **headers}
    async with session.post(url, data=body.encode(), headers=wanted, allow_redirects=False) as response:
        reply = DeliveryReply(
            status=response.status,
            error=None if 200 <= response.status <= 299 else f"the receiver answered {response.status}",  # noqa: PLR2004
            retry_after_s=asked_for(response.headers.get("Retry-After"), datetime.now(UTC)),
        )
        try:
            await response.content.read(MAX_ANSWER_BYTES)
        except (ClientError, TimeoutError):
            LOG.debug("A receiver broke off the body of its answer")
        response.close()
        return reply


def asked_for(retry_after: str | None, now: datetime) -> float | None:
    """The seconds that a `Retry-After` asks for, given as a number or as a date; None if it cannot be read."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return None
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    return max(seconds, 0.0) if isfinite(seconds) else None


def _told_of(error: Exception) -> str:
    """What went wrong, in words of our own."""
    from aiohttp import ClientConnectorCertificateError, ClientConnectorDNSError, ClientConnectorError, ClientError
    from aiohttp import ClientConnectorSSLError as TLSError

    if isinstance(error, ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "it does not fit the host"
        return f"the receiver's certificate is not trusted: {why}"
    if isinstance(error, TLSError):
        return "the receiver does not speak TLS as it should"
    if isinstance(error, ClientConnectorDNSError | socket.gaierror):
        return "the host's name cannot be resolved"
    if isinstance(error, ClientConnectorError):
        return f"the host takes no connection ({type(error.os_error).__name__})"
    if isinstance(error, ClientError | OSError):
        return "the connection broke off before there was an answer"
    LOG.error("A callback failed in a way that nobody foresaw: %s", type(error).__name__)
    return f"the attempt failed ({type(error).__name__})"
