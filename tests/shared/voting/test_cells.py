from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.voting.cells import BREAK, ELLIPSIS, cell, one_line, shortened
from tests.shared.voting.rendering import rows_of, structure, text_of

ATTACKS = [
    "| a | b |",
    "a | b",
    "\\| b",
    "\\\\| b",
    "\\",
    "`a | b`",
    "``` code",
    "a\n| b | c |",
    "a\r\n\r\n# Decision: hacked",
    "a\u2028# b\u2029## c\x85### d",
    "# heading",
    "heading\n===",
    "===",
    "---",
    "***",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "> quote",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden",
    "</td></tr></table>",
    "<https://evil.example>",
    "&lt;b&gt; &#60;b&#62;",
    "![](http://evil.example/?q=secret)",
    "![x][y]",
    "[click](javascript:alert(1))",
    "[x]: http://evil.example",
    "[^1]",
    "- [x] done",
    "**bold** __bold__ *i* _i_ ~~gone~~",
    "    code",
    "\tcode",
    "~~~",
    "$x$ $$y$$",
    "a  \nb",
    "😀 &amp; 漢字",
]
NASTY = st.text(alphabet=st.sampled_from("|\\`*_~[]()!#<>&$-+=.:/@1a \n\r\tw\u2028\u202e\u200d"), max_size=40)


@pytest.mark.parametrize("text", ATTACKS)
def test_a_text_stays_in_its_cell_and_reads_as_it_did(text: str) -> None:
    table = f"# T\n\n| A | B |\n| --- | --- |\n| {cell(text, 500)} | end |"
    header, row = rows_of(table, "T")
    assert (header, [shown.replace(BREAK, "") for shown in row]) == (["A", "B"], [one_line(text), "end"])


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("before", ["", "> ", "# ", "Said: ", "A line\n"])
def test_a_text_changes_nothing_around_it(text: str, before: str) -> None:
    assert structure(f"{before}{cell(text, 500)}\n\nend") == structure(f"{before}word\n\nend")


@given(NASTY | st.text(max_size=60))
def test_no_text_leaves_its_cell_or_its_line(text: str) -> None:
    escaped = cell(text, 500)
    table = f"# T\n\n| A | B |\n| --- | --- |\n| {escaped} | end |"

    assert [len(row) for row in rows_of(table, "T")] == [2, 2]
    assert structure(table) == structure("# T\n\n| A | B |\n| --- | --- |\n| word | end |")
    assert structure(f"> {escaped}\n\nend") == structure(f"> {'word' if escaped else ''}\n\nend")
    assert text_of(f"x {escaped}").replace(BREAK, "") == f"x {one_line(text)}".rstrip()


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("see https://evil.example", rf"https:{BREAK}//evil"),
        ("ftp://evil.example", rf"ftp:{BREAK}//evil"),
        ("www.evil.example", rf"www{BREAK}\.evil"),
        ("WWW.evil.example", rf"WWW{BREAK}\.evil"),
        ("mail me@evil.example", rf"me@{BREAK}evil"),
        ("@everyone", rf"@{BREAK}everyone"),
        ("owner/name#12", rf"\\#{BREAK}12"),
    ],
)
def test_bare_text_does_not_become_a_link_or_a_mention(text: str, broken: str) -> None:
    assert re.search(broken, cell(text, 100))


def test_no_dollar_is_left_for_github_to_read_as_mathematics() -> None:
    assert cell("$x$", 10) == "&#36;x&#36;"


def test_characters_that_are_not_seen_or_turn_the_text_around_are_left_out() -> None:
    assert one_line("safe\u202etxt.exe\u2066 \u200bx\ufeff\U000e0041") == "safetxt.exe x"
    assert one_line("a\x00b\x1b[31m\ud800c") == "a b [31mc"


def test_the_invisible_parts_of_words_and_emoji_stay() -> None:
    assert one_line("می\u200cخواهم 👩\u200d💻") == "می\u200cخواهم 👩\u200d💻"


def test_a_long_text_is_cut_before_it_is_escaped() -> None:
    assert cell("||||", 3) == f"&#124;&#124;{ELLIPSIS}"
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abc efgh", 5) == f"abc{ELLIPSIS}"


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_shortened_text_is_as_long_as_it_may_be_at_most(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= most
