from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.work import RunFolder
from shared.stored_names import MAX_WORK_CHARS, document_blob, page_blob, summary_blob, work_path

PIECES = st.sampled_from(
    ["a", "A", "/", "//", ".", "..", "~", "%", "%2F", "%7E", "#", "+", " ", "ü", "\\", "?", "&", "é"]
)
HOSTILE = st.lists(PIECES, max_size=12).map("".join) | st.text(alphabet=st.characters(exclude_categories=["Cs"]))
PLAIN = re.compile(r"[A-Za-z0-9._/+#%~-]*")


@given(HOSTILE, HOSTILE)
@example("a//b", "a/%2Fb")
@example("a/./b", "a/%2E/b")
@example("~", "%7E")
@example("/", "%2F")
@example("é", "e\u0301")
def test_no_two_names_are_alike(one: str, other: str) -> None:
    assert (work_path(one) == work_path(other)) == (one == other)


@given(HOSTILE)
@example("../../secret")
@example("a/../b/.")
@example("///")
def test_a_name_is_one_that_every_client_leaves_as_it_is(name: str) -> None:
    path = work_path(name)

    assert PLAIN.fullmatch(path)
    segments = path.split("/")
    assert path == "" or not {"", ".", ".."} & set(segments)
    assert len(path) <= MAX_WORK_CHARS


@given(HOSTILE)
def test_a_short_name_can_be_read_back(name: str) -> None:
    path = work_path(name)

    assert "~" in path or unquote(path) == name


@pytest.mark.parametrize("name", ["a.txt", "reports/2024/q3.md", "log+2", "calls.jsonl#12", "UPPER_lower-1.2"])
def test_a_plain_name_stays(name: str) -> None:
    assert work_path(name) == name


@pytest.mark.parametrize("character", ["a", "ü", "/", "a/"])
def test_long_names_fit_and_differ(character: str) -> None:
    names = [character * 1_000 + end for end in ("1", "2")] + [character * 999 + "1"]
    paths = [work_path(name) for name in names]

    assert len(set(paths)) == len(names)
    assert all(len(path) <= MAX_WORK_CHARS and path.count("/") < 100 for path in paths)
    assert all(path not in {work_path(other) for other in paths} for path in paths)


def test_the_longest_name_of_a_blob_is_one_that_azure_takes() -> None:
    folder = RunFolder(container="results", name=f"{'p' * 500}/{'i' * 100}/", run_id="i" * 100)

    assert len(document_blob(folder, "ü" * 1_024)) <= 1_024


@pytest.mark.parametrize(
    ("stage", "page", "summary"),
    [
        ("map", "r/plan/00007.json", "r/pages/00007.json"),
        ("reduce-2", "r/reduce/2/plan/00007.json", "r/reduce/2/pages/00007.json"),
    ],
)
def test_a_stage_has_its_pages_in_a_folder(stage: str, page: str, summary: str) -> None:
    folder = RunFolder(container="results", name="r/", run_id="r")

    assert (page_blob(folder, stage, 7), summary_blob(folder, stage, 7)) == (page, summary)
