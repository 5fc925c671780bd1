"""Text of other software, without what looks like a credential: it goes into history, answers and logs."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(
    r"""
      (?P<before> \b (?:bearer|basic) \s+ ) [\w~+/.=-]{8,}
    | (?P<name> (?: \b(?:sig|code) | accountkey | sharedaccess\w* | api[_-]?key | password ) ["']? \s* [=:] \s* ["']? )
      [^\s"'&;,)]+
    | (?P<scheme> \b[a-z][a-z0-9+.-]*:// ) [^\s/@]+ (?=@)
    | \b sk-[\w-]{8,}
    | \b eyJ[\w-]{8,}\.[\w-]+\.[\w-]*
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str) -> str:
    """`text` with `[key]` for bearer tokens, keys and signatures by their names, and passwords in URLs."""
    return _CREDENTIALS.sub(lambda m: f"{m['before'] or m['name'] or m['scheme'] or ''}[key]", text)
