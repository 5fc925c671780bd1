"""Bytes as text: in the encoding that is stated, or that the bytes tell."""

from __future__ import annotations

import codecs
import re

from shared.errors import DocumentUnreadable

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""That of UTF-32 comes first, because it begins with that of UTF-16."""
MARK = "\ufeff"
UTF8 = "utf-8"
FALLBACK = "windows-1252"
NOT_IN_TEXT = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""What no text has, but for bell, backspace, white space and escape, which logs of terminals have."""
WHAT_TO_DO = "state the right one in source.encoding, or leave out what is no text"


def decoded(data: bytes, encoding: str | None) -> str:
    """`data` as text without its byte order mark; `encoding` None means UTF-8, what the mark says, or Windows-1252."""
    named = encoding or marked_encoding(data)
    text = _as(data, named) if named else _as_its_bytes_tell(data)
    return text.removeprefix(MARK)


def marked_encoding(data: bytes) -> str | None:
    """The encoding that the byte order mark at the start of `data` stands for, if there is one."""
    return next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None)


def decoded_line(line: bytes, encoding: str | None) -> str:
    """A line of a stream as text; `encoding` is that of the whole stream, and None if each line tells its own."""
    return _as(line, encoding) if encoding else _as_its_bytes_tell(line)


def plain_name(encoding: str) -> str | None:
    """What `encoding` is called if its text is UTF-8 as it stands: `utf-8`, or `ascii`, which is a part of it."""
    name = codecs.lookup(encoding).name
    return name if name == "ascii" else UTF8 if name in {"utf-8", "utf-8-sig"} else None


def undecodable(reason: str, encoding: str) -> DocumentUnreadable:
    """The error of bytes that are not text in `encoding`."""
    return DocumentUnreadable(f"the bytes are not text in {encoding!r} ({reason}): {WHAT_TO_DO}")


def _as(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
        text.encode()
    except (UnicodeError, LookupError, ValueError) as exc:
        raise undecodable(_reason(exc), encoding) from exc
    return text


def _as_its_bytes_tell(data: bytes) -> str:
    if b"\x00" in data:
        reason = "it has NUL bytes, so it is no text, or UTF-16 without a byte order mark"
        raise DocumentUnreadable(f"{reason}: {WHAT_TO_DO}")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        if NOT_IN_TEXT.search(data):
            raise undecodable(_reason(exc), UTF8) from exc
    return _as(data, FALLBACK)


def _reason(exc: Exception) -> str:
    return f"{exc.reason} at byte {exc.start:,}" if isinstance(exc, UnicodeDecodeError) else str(exc)
