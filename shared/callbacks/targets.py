"""Which URLs the app may call.

A URL has to fit one narrow form as a whole. So there is nothing in it that another parser could read in another way:
no user name, no backslash, no dot at the end of a host, no address in any spelling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shared.errors import CallbackRefused
from shared.settings import CHORUS_CALLBACK_HOSTS, CallbackSettings

HTTPS_PORT = 443
HTTP_PORT = 80
MAX_PORT = 65_535
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

FORM = re.compile(
    r"(?P<scheme>(?i:https?))://(?P<host>[A-Za-z0-9.-]+|\[::1\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)"
)
AUTHORITY = re.compile(r"[^/]*//(?P<authority>[^/?#]*)")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that the app may call."""

    url: str = field(repr=False)
    host: str
    port: int
    is_loopback: bool

    @property
    def name(self) -> str:
        """The host as people know it, with its port where that is not the usual one."""
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"


def target_of(url: str, settings: CallbackSettings) -> Target:
    """The target that `url` names; raise `CallbackRefused`, which says why without the URL, if it may not be called."""
    if problem := _problem_of_form(url):
        raise CallbackRefused(problem)
    found = FORM.fullmatch(url)
    if found is None:
        raise CallbackRefused(
            "is no URL such as https://host/path; percent-encode what is special, and write an international host "
            "name in its xn-- form"
        )
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"]) if found["port"] else HTTP_PORT if scheme == "http" else HTTPS_PORT
    if not 0 < port <= MAX_PORT:
        raise CallbackRefused(f"has the port {port}, which there is not")
    is_loopback = host in LOOPBACK
    if is_loopback and not settings.loopback:
        raise CallbackRefused("names this machine itself, which is for development only; name a host on the internet")
    if not is_loopback:
        _check_host(scheme, host, port, settings)
    named_port = f":{found['port']}" if found["port"] else ""
    return Target(f"{scheme}://{host}{named_port}{found['rest']}", host, port, is_loopback)


def _problem_of_form(url: str) -> str | None:
    """What is wrong with a URL that looks like one, in words that help."""
    authority = AUTHORITY.match(url)
    if "#" in url:
        return "has a fragment (#…), which is never sent; leave it out"
    if authority is not None and "@" in authority["authority"]:
        return "has a user name or a password before its host; leave them out, and put a secret into the query"
    return None


def _check_host(scheme: str, host: str, port: int, settings: CallbackSettings) -> None:
    if scheme != "https":
        raise CallbackRefused("must begin with https:// (http is accepted for localhost in development only)")
    if not settings.may_call(host, port):
        where = host if port == HTTPS_PORT else f"{host}:{port}"
        raise CallbackRefused(
            f"names {where!r}, which this app may not call; whoever runs it has to add that to {CHORUS_CALLBACK_HOSTS}"
        )
