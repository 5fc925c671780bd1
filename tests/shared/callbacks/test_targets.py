"""Which URLs are accepted, and the tricks that are not."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL as ParsedURL

from shared.callbacks.targets import target_of
from shared.contracts.callback import MAX_CALLBACK_URL_CHARS
from shared.errors import CallbackRefused
from tests.shared.callbacks.given import SIGNATURE, URL, settings

SETTINGS = settings(hosts="hooks.example.com, hooks.example.com:8443, *.logic.azure.com, xn--bcher-kva.example")
IN_DEVELOPMENT = settings(hosts="", CHORUS_CALLBACK_LOOPBACK="true")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        (URL, "hooks.example.com", 443),
        ("https://hooks.example.com", "hooks.example.com", 443),
        ("HTTPS://Hooks.Example.COM/Path", "hooks.example.com", 443),
        ("https://hooks.example.com:443/", "hooks.example.com", 443),
        ("https://hooks.example.com:8443/", "hooks.example.com", 8443),
        (
            "https://prod-07.westeurope.logic.azure.com:443/workflows/a/triggers",
            "prod-07.westeurope.logic.azure.com",
            443,
        ),
        ("https://xn--bcher-kva.example/a;b=c,d/@me?x=(1)*'!", "xn--bcher-kva.example", 443),
    ],
)
def test_a_url_of_a_listed_host_is_a_target(url: str, host: str, port: int) -> None:
    target = target_of(url, SETTINGS)

    assert (target.host, target.port, target.is_loopback) == (host, port, False)
    assert target.name == (host if port == 443 else f"{host}:{port}")


def test_path_and_query_stay_as_they_were_written() -> None:
    url = "https://hooks.example.com/a%2fb//c/../d?sig=a%2Bb+c%20&x=%C3%A9"

    assert target_of(url, SETTINGS).url == url


def test_a_target_does_not_show_its_url() -> None:
    assert SIGNATURE not in repr(target_of(URL, SETTINGS))


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "//hooks.example.com/",
        "hooks.example.com/",
        "https:hooks.example.com",
        "https:///hooks.example.com",
        "https://hooks.example.com.evil.example/",
        "https://evil.example/?hooks.example.com",
        "https://evil-hooks.example.com/",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:99999999/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:+443/",
        "https://hooks.example.com:４４３/",
        "https://hooks.example.com./",
        "https://hooks..example.com/",
        "https://user@hooks.example.com/",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com@evil.example/",
        "https://evil.example\\@hooks.example.com/",
        "https://hooks.example.com\\.evil.example/",
        "https://hooks.example.com#@evil.example/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com%2eevil.example/",
        "https://hooks.example.com%00/",
        "https://hooks.example.com/ a",
        "https://hooks.example.com/\n",
        "\thttps://hooks.example.com/",
        "https://hooks.example.com/a\r\nX-Injected: 1",
        "https://hooks.example.com/%zz",
        "https://hooks.example.com/é",
        "https://hooks.exampleﬁ.com/",
        "https://ｈooks.example.com/",
        "https://hooks。example.com/",
        "https://bücher.example/",
        "https://logic.azure.com/",
        "https://.logic.azure.com/",
        "https://evillogic.azure.com/",
        "https://a_b.logic.azure.com/",
        "https://-.logic.azure.com/",
        "https://10.0.0.1.logic.azure.com.evil.example/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://localhost/",
        "http://localhost:8080/",
    ],
)  # fmt: skip
def test_any_other_url_is_refused_in_words_without_it(url: str) -> None:
    with pytest.raises(CallbackRefused) as refusal:
        target_of(url, SETTINGS)

    assert url not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://u:p@hooks.example.com/", "user name"),
        ("https://hooks.example.com/#a", "fragment"),
        ("http://hooks.example.com/", "must begin with https://"),
        ("https://other.example/", "CHORUS_CALLBACK_HOSTS"),
        ("https://hooks.example.com:8080/", "'hooks.example.com:8080'"),
        ("https://localhost/", "for development only"),
        ("https://bücher.example/", "xn--"),
    ],
)
def test_a_refusal_says_what_to_do(url: str, reason: str) -> None:
    with pytest.raises(CallbackRefused, match=reason):
        target_of(url, SETTINGS)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/a", "http://127.0.0.1:1/", "http://[::1]:8080/", "https://localhost/", "http://LOCALHOST"]
)  # fmt: skip
def test_in_development_this_machine_may_be_called(url: str) -> None:
    assert target_of(url, IN_DEVELOPMENT).is_loopback


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/", "http://localhost.evil.example/", "http://127.1/", "http://[::2]/"]
)
def test_in_development_nothing_else_may_be(url: str) -> None:
    with pytest.raises(CallbackRefused):
        target_of(url, IN_DEVELOPMENT)


SCRAPS = [
    "https://",
    "hooks.example.com",
    "@",
    "\\",
    "#",
    "?",
    "/",
    ":",
    ":443",
    ".",
    "[",
    "]",
    "%2f",
    "evil.example",
    " ",
    "é",
]


@given(
    st.lists(st.sampled_from(SCRAPS), min_size=1, max_size=10).map("".join) | st.text(max_size=MAX_CALLBACK_URL_CHARS)
)
def test_every_parser_reads_the_same_host_in_an_accepted_url(url: str) -> None:
    try:
        target = target_of(url, SETTINGS)
    except CallbackRefused:
        return
    assert urlsplit(target.url).hostname == target.host == ParsedURL(target.url, encoded=True).host
    assert SETTINGS.may_call(target.host, target.port)
