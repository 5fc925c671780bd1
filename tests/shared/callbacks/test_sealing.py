"""URLs at rest."""

from __future__ import annotations

import pytest

from shared.callbacks.sealing import opened, sealed
from shared.errors import CallbackRefused
from tests.shared.callbacks.given import OLD_SECRET, SECRET, URL, settings


def test_what_was_sealed_is_opened_and_shows_nothing_of_itself() -> None:
    text = sealed(URL, settings())

    assert opened(text, settings()) == URL
    assert "hooks" not in text
    assert sealed(URL, settings()) != text


def test_a_renewed_secret_opens_what_its_predecessor_has_sealed_while_that_is_there() -> None:
    before = sealed(URL, settings(OLD_SECRET))

    assert opened(before, settings(f"{SECRET} {OLD_SECRET}")) == URL
    with pytest.raises(CallbackRefused, match="CHORUS_CALLBACK_SECRET"):
        opened(before, settings(SECRET))


def test_the_newest_secret_seals() -> None:
    assert opened(sealed(URL, settings(f"{SECRET} {OLD_SECRET}")), settings(SECRET)) == URL


@pytest.mark.parametrize("change", [lambda text: text[:-2], lambda text: "A" + text[1:], lambda text: ""])
def test_what_was_tampered_with_is_not_opened(change: object) -> None:
    assert callable(change)
    with pytest.raises(CallbackRefused):
        opened(change(sealed(URL, settings())), settings())
