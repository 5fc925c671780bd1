"""The page for people: whole, readable by a machine that reads pages aloud, and safe to open."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

from shared.openapi.document import openapi_document
from shared.openapi.operations import OPERATIONS
from shared.openapi.page import page_of, security_policy

VOID = {"meta", "br"}
PAGE = page_of(openapi_document("https://chorus.example/api"))


class Reader(HTMLParser):
    """What a page is made of; fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_tags_nest_and_ids_are_unique() -> None:
    ids = [attributes["id"] for _, attributes in read(PAGE).tags if "id" in attributes]

    assert len(set(ids)) == len(ids)
    assert {operation.id for operation in OPERATIONS} <= {*ids}


def test_every_link_leads_to_a_place_on_the_page() -> None:
    tags = read(PAGE).tags
    links = {attributes["href"] for tag, attributes in tags if tag == "a"}

    assert links <= {f"#{attributes['id']}" for _, attributes in tags if "id" in attributes}
    assert len(links) > 80


def test_the_page_has_a_language_a_title_one_heading_and_no_level_left_out() -> None:
    tags = read(PAGE).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    main = levels[levels.index(1) :]

    assert ("html", {"lang": "en"}) in tags
    assert "<title>Chorus API</title>" in PAGE
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(main))


def test_the_page_needs_no_script_and_nothing_from_elsewhere() -> None:
    tags = read(PAGE).tags

    assert {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in tags} == set()
    assert not any(name.startswith("on") or name in {"style", "src"} for _, given in tags for name in given)
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_the_policy_lets_the_page_s_own_style_sheet_in_and_nothing_else() -> None:
    sheets = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() for sheet in sheets]

    assert re.findall(r"'sha256-([^']+)'", security_policy()) == hashes
    assert security_policy().startswith("default-src 'none'; ")


def test_what_a_caller_can_choose_is_text_on_the_page() -> None:
    page = page_of(openapi_document('https://a.example/"><script>alert(1)</script>'))

    assert "script" not in {tag for tag, _ in read(page).tags}
    assert "&lt;script&gt;" in page
