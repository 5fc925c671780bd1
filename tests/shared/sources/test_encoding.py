"""What bytes are as text."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DocumentUnreadable
from shared.sources.encoding import decoded, decoded_line, plain_name

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "UTF8"]
NO_NUL = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=NO_NUL)
def test_a_stated_encoding_is_taken(encoding: str, text: str) -> None:
    assert decoded(text.encode(encoding), encoding) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@given(text=NO_NUL)
def test_a_byte_order_mark_tells_the_encoding_and_is_no_part_of_the_text(encoding: str, text: str) -> None:
    assert decoded(text.encode(encoding), None) == text


@given(text=NO_NUL)
def test_without_a_mark_it_is_utf_8(text: str) -> None:
    assert decoded(text.encode(), None) == text


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE])
def test_a_big_endian_mark_is_known(mark: bytes) -> None:
    name = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-32-be"
    assert decoded(mark + "größer".encode(name), None) == "größer"


def test_what_is_not_utf_8_is_windows_1252() -> None:
    assert decoded("“Grüße” – 5 €".encode("cp1252"), None) == "“Grüße” – 5 €"


def test_a_log_of_a_terminal_is_text() -> None:
    assert decoded("\x1b[31mfehler\x1b[0m \x07 \xe4".encode("cp1252"), None) == "\x1b[31mfehler\x1b[0m \x07 ä"


@pytest.mark.parametrize(
    ("data", "encoding", "told"),
    [
        (b"caf\xe9", "utf-8", "byte 3"),
        (b"caf\xe9", "ascii", "ascii"),
        (b"a\x00b", None, "NUL"),
        ("Text".encode("utf-16-le"), None, "UTF-16 without a byte order mark"),
        (b"\x89PNG\r\n\x1a\n\x00", None, "NUL"),
        (b"\xff\x01\x02", None, "utf-8"),
        (b"\x81\x8d", None, "windows-1252"),
        (b"\xff\xfea", None, "utf-16"),
        (b"+2AA-", "utf-7", "surrogate"),
        (b"x", "no-such-encoding", "no-such-encoding"),
    ],
)
def test_what_is_no_text_says_what_to_do(data: bytes, encoding: str | None, told: str) -> None:
    with pytest.raises(DocumentUnreadable, match=told) as caught:
        decoded(data, encoding)

    assert "source.encoding" in caught.value.message


def test_each_line_tells_its_own_encoding() -> None:
    assert [decoded_line(line, None) for line in ("größer".encode(), "größer".encode("cp1252"))] == ["größer"] * 2
    with pytest.raises(DocumentUnreadable):
        decoded_line("größer".encode("cp1252"), "utf-8")


def test_what_needs_no_transcoding_is_known_by_all_its_names() -> None:
    assert [plain_name(name) for name in ("UTF-8", "utf8", "utf-8-sig")] == ["utf-8"] * 3
    assert plain_name("us-ascii") == "ascii"
    assert plain_name("latin-1") is None
