"""An attempt over real connections: what is answered, what goes wrong, and where nothing is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.callbacks import posting
from shared.callbacks.posting import asked_for, post
from shared.callbacks.targets import Target
from shared.contracts.callback import DeliveryReply
from tests.shared.callbacks.given import SIGNATURE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY = '{"type":"run.completed"}'


@dataclass
class Receiver:
    """A server that notes what comes."""

    port: int = 0
    requests: list[web.Request] = field(default_factory=list[web.Request])
    bodies: list[str] = field(default_factory=list[str])

    def target(self, host: str = "127.0.0.1", scheme: str = "http", path: str = "/hook") -> Target:
        url = f"{scheme}://{host}:{self.port}{path}?sp=%2Fa+b&{SIGNATURE}"
        return Target(url, host, self.port, is_loopback=scheme == "http")


@asynccontextmanager
async def receiving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()

    async def note(request: web.Request) -> web.StreamResponse:
        receiver.requests.append(request)
        receiver.bodies.append(await request.text())
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


def answering(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


async def no_answer(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def cut_off(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def endless_body(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"x" * 65_536)


def resolving(*answers: list[str]) -> tuple[posting.LookUp, list[str]]:
    """A resolver that gives these answers one after the other, and a note of what it was asked."""
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    return look_up, asked


def tells_nothing_of_the_url(reply: DeliveryReply) -> bool:
    return SIGNATURE not in reply.model_dump_json() and "/hook" not in reply.model_dump_json()


async def test_a_post_arrives_as_it_is_with_its_url_untouched() -> None:
    async with receiving(answering(204)) as receiver:
        reply = await post(receiver.target(), BODY, {"webhook-id": "msg_1", "Content-Type": "application/json"})

    [request] = receiver.requests
    assert reply == DeliveryReply(status=204)
    assert (request.method, request.raw_path) == ("POST", f"/hook?sp=%2Fa+b&{SIGNATURE}")
    assert receiver.bodies == [BODY]
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving(answering(200)) as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.port}/"
        async with receiving(answering(status, Location=target)) as receiver:
            reply = await post(receiver.target(), BODY, {})

    assert reply.status == status
    assert not reply.delivered
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "delivered", "for_good"),
    [(200, True, False), (299, True, False), (410, False, True), (500, False, False)],
)
async def test_the_status_says_what_became_of_it(status: int, delivered: bool, for_good: bool) -> None:
    async with receiving(answering(status)) as receiver:
        reply = await post(receiver.target(), BODY, {})

    assert (reply.status, reply.delivered, reply.refused_for_good) == (status, delivered, for_good)


async def test_a_receiver_says_when_to_come_back() -> None:
    async with receiving(answering(503, **{"Retry-After": "120"})) as receiver:
        assert (await post(receiver.target(), BODY, {})).retry_after_s == 120


async def test_a_receiver_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIME_LIMIT_S", 0.2)
    async with receiving(no_answer) as receiver:
        reply = await post(receiver.target(), BODY, {})

    assert reply == DeliveryReply(error="no answer within 0.2 s")


async def test_an_answer_without_an_end_counts_by_its_status() -> None:
    async with receiving(endless_body) as receiver, asyncio.timeout(10):
        assert (await post(receiver.target(), BODY, {})).delivered


async def test_a_connection_that_breaks_off_is_told_without_the_url() -> None:
    async with receiving(cut_off) as receiver:
        reply = await post(receiver.target(), BODY, {})

    assert reply.error == "the connection broke off before there was an answer"


async def test_nobody_listening_is_told_without_the_url() -> None:
    async with receiving(answering(200)) as receiver:
        target = receiver.target()
    reply = await post(target, BODY, {})

    assert reply.error == "the host takes no connection (ConnectionRefusedError)"
    assert tells_nothing_of_the_url(reply)


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "192.168.0.1"],
        ["fd00::1"],
        [],
    ],
)
async def test_a_name_that_leads_into_a_network_is_not_called(addresses: list[str]) -> None:
    async with receiving(answering(200)) as receiver:
        look_up, asked = resolving(addresses)
        reply = await post(receiver.target("hooks.example.com", "https"), BODY, {}, look_up=look_up)

    assert asked == ["hooks.example.com"]
    assert reply.status is None
    assert "'hooks.example.com:" in (reply.error or "")
    assert tells_nothing_of_the_url(reply)
    assert receiver.requests == []


async def test_a_name_that_cannot_be_resolved_is_told() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    reply = await post(Target("https://hooks.example.com/", "hooks.example.com", 443, False), BODY, {}, look_up=look_up)

    assert reply.error == "the host's name cannot be resolved"


async def test_an_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(answering(200)) as proxy, receiving(answering(204)) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        reply = await post(receiver.target(), BODY, {})

    assert (reply.status, proxy.requests) == (204, [])


# TLS


@dataclass
class Authority:
    """A certificate authority, and a server's certificate of its own making."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


def certified(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path)
    return Authority(server, ssl.create_default_context(cafile=str(path)))


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of tests are on this machine: let their addresses pass."""
    monkeypatch.setattr(posting, "refusal_of", lambda *_, **__: None)


@pytest.mark.usefixtures("anywhere")
async def test_the_checked_address_is_called_and_the_certificate_is_the_name_s(tmp_path: Path) -> None:
    authority = certified(tmp_path, "hooks.example.com")
    async with receiving(answering(200), authority.server) as receiver:
        look_up, asked = resolving(["127.0.0.1"], ["127.0.0.9"])
        target = receiver.target("hooks.example.com", "https")
        reply = await post(target, BODY, {}, look_up=look_up, tls=authority.trusting)

    assert reply.status == 200
    assert asked == ["hooks.example.com"], "a second look at the name could find another address"
    assert receiver.requests[0].headers["Host"] == f"hooks.example.com:{receiver.port}"


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("trusting", [True, False])
async def test_a_certificate_of_another_name_or_authority_is_not_trusted(tmp_path: Path, trusting: bool) -> None:
    authority = certified(tmp_path, "other.example.com" if trusting else "hooks.example.com")
    async with receiving(answering(200), authority.server) as receiver:
        look_up, _ = resolving(["127.0.0.1"])
        target = receiver.target("hooks.example.com", "https")
        reply = await post(target, BODY, {}, look_up=look_up, tls=authority.trusting if trusting else None)

    assert "certificate is not trusted" in (reply.error or "")
    assert tells_nothing_of_the_url(reply)
    assert receiver.requests == []


@pytest.mark.usefixtures("anywhere")
async def test_a_server_without_tls_gets_nothing() -> None:
    async with receiving(answering(200)) as receiver:
        look_up, _ = resolving(["127.0.0.1"])
        reply = await post(receiver.target("hooks.example.com", "https"), BODY, {}, look_up=look_up)

    assert reply.error == "the receiver does not speak TLS as it should"
    assert receiver.requests == []


# Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("-5", 0.0), ("1.5", 1.5), ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0), ("soon", None), ("", None), ("nan", None), ("inf", None), (None, None),
    ],
)  # fmt: skip
def test_a_retry_after_is_read_in_both_forms(text: str | None, seconds: float | None) -> None:
    assert asked_for(text, datetime(2026, 3, 1, 12, tzinfo=UTC)) == seconds
