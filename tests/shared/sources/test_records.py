"""Blobs with many documents in each."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blobs import BlobInfo
from shared.errors import DocumentChanged, DocumentUnreadable
from shared.sources import csv_rows, json_items, json_lines, pieces, record, streams
from shared.sources.record import START, Position
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.sources.streaming import BLOB, SOURCE, records, records_in, texts
from tests.shared.strategies import JSON_VALUES

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ENCODINGS = st.sampled_from([None, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
NAMES = st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=4)


def packed(text: str, encoding: str | None, is_packed: bool) -> bytes:
    data = text.encode(encoding or "utf-8")
    return gzip.compress(data) if is_packed else data


def compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def resumed(data: bytes, **source: object) -> list[str]:
    """The texts when each record is read by a step of its own."""
    found: list[str] = []
    position = START
    while got := await records(data, position, 1, **source):
        position = got[0].end
        found.append(got[0].text)
    return found


# jsonl


@given(
    values=st.lists(JSON_VALUES | TEXTS, max_size=6),
    encoding=ENCODINGS,
    end=LINE_ENDS,
    is_packed=st.booleans(),
    ascii_only=st.booleans(),
)
def test_every_line_is_a_text_from_any_position(
    values: list[Any], encoding: str | None, end: str, is_packed: bool, ascii_only: bool
) -> None:
    text = end.join(json.dumps(value, ensure_ascii=ascii_only) for value in values)
    data = packed(text, encoding, is_packed)

    async def both() -> None:
        assert await texts(data, format="jsonl", encoding=encoding) == [compact(value) for value in values]
        assert await resumed(data, format="jsonl", encoding=encoding) == [compact(value) for value in values]

    asyncio.run(both())


async def test_blank_lines_are_no_records_but_count_in_their_numbers() -> None:
    found = await records(b'\n"a"\r\n  \t\n"b"\n\n', format="jsonl")

    assert [(record.end.number, record.text) for record in found] == [(2, "a"), (4, "b")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{oops}", "line 2 is not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b"1 2", "line 2 is not JSON: Extra data at character 3"),
        (b'"\\ud800"', "line 2 cannot be passed on: a string holds half of a surrogate pair"),
        (b"1e999", "line 2 cannot be passed on: a number is not finite"),
        (b"NaN", "line 2 cannot be passed on: a number is not finite"),
        (b"[" * 70 + b"]" * 70, "line 2 cannot be passed on: nested deeper than 64 levels"),
        (b"[" * 100_000, "line 2 is nested too deep"),
        (b"1" * 5_000, "line 2 is not JSON: Exceeds the limit"),
        (b'"\x81"', "line 2: the bytes are not text"),
        (b'"\x00"', "line 2: it has NUL bytes"),
    ],
)
async def test_a_line_that_cannot_be_read_is_one_failure(line: bytes, problem: str) -> None:
    found = await records(b'"a"\n' + line + b'\n"c"', format="jsonl")

    assert [record.text for record in found] == ["a", "", "c"]
    assert (found[1].problem or "").startswith(problem)
    assert found[0].problem is found[2].problem is None


async def test_lines_of_windows_1252_among_utf_8_are_read() -> None:
    assert await texts('"größer"\n'.encode() + '"größer"\n'.encode("cp1252"), format="jsonl") == ["größer"] * 2


async def test_a_stated_encoding_is_that_of_every_line() -> None:
    found = await records('"größer"\n'.encode("cp1252") + b'"b"', format="jsonl", encoding="utf-8")

    assert [record.text for record in found] == ["", "b"]
    assert "'utf-8'" in (found[0].problem or "")


async def test_a_line_that_is_too_long_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_RECORD_BYTES", 10)
    found = await records(b'"a"\n"' + b"x" * 50 + b'"\n"c"', format="jsonl")

    assert [record.text for record in found] == ["a", "", "c"]
    assert found[1].problem == "line 2 has more than 10 bytes: divide it"


@pytest.mark.parametrize("data", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
async def test_an_empty_blob_has_no_records(kind: str, data: bytes) -> None:
    assert await records(data, format=kind) == []


async def test_utf_8_is_read_on_from_the_record_s_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100)
    data = b"".join(b'"%05d"\n' % number for number in range(1000))
    blobs = MemoryBlobs({SOURCE: {BLOB: data}})
    [info] = (await blobs.listed(SOURCE, "")).blobs
    blobs.calls.clear()

    found = await records_in(blobs, info, Position(900, 7200), format="jsonl")

    assert [found[0].text, found[0].end.number, len(found)] == ["00900", 901, 100]
    assert len(blobs.calls) == 1 + 8


async def test_a_blob_that_is_written_again_under_the_plan_is_noticed() -> None:
    blobs = MemoryBlobs({SOURCE: {BLOB: b'"a"\n"b"'}})
    [info] = (await blobs.listed(SOURCE, "")).blobs
    await blobs.write(SOURCE, BLOB, b'"c"\n"d"')

    with pytest.raises(DocumentChanged):
        await records_in(blobs, info, format="jsonl")


async def test_a_blob_that_breaks_off_has_its_first_records() -> None:
    data = gzip.compress(b"\n".join(b'"%d"' % number for number in range(50_000)))
    blobs = MemoryBlobs({SOURCE: {BLOB: data[:-9]}})
    [info] = (await blobs.listed(SOURCE, "")).blobs

    assert len(await records_in(blobs, info, most=1000, format="jsonl")) == 1000
    with pytest.raises(DocumentUnreadable, match="too early"):
        await records_in(blobs, info, format="jsonl")


async def test_compressed_records_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DocumentUnreadable, match="more than 1,000 bytes"):
        await records(gzip.compress(b"1\n" * 501), format="jsonl")


@pytest.mark.parametrize(
    ("kind", "data"),
    [("jsonl", b"\n" * 9), ("jsonl", b'"a"\n' + b" \r\n" * 9), ("csv", b"\n" * 9), ("csv", b"a,b\n" + b",\n" * 9)],
)
async def test_a_blob_of_blank_lines_does_not_take_all_time(
    monkeypatch: pytest.MonkeyPatch, kind: str, data: bytes
) -> None:
    monkeypatch.setattr(record, "MAX_BLANK_LINES", 8)
    with pytest.raises(DocumentUnreadable, match="more than 8 blank lines"):
        await records(data, format=kind)
    assert len(await records(b"a\n" + b"\n1\n" * 20, format=kind)) >= 20


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
async def test_memory_does_not_grow_with_the_records(kind: str) -> None:
    line = b'"%s"\n' % (b"x" * 100)
    blobs = MemoryBlobs({SOURCE: {BLOB: line * 600_000}})
    [info] = (await blobs.listed(SOURCE, "")).blobs
    count = 0
    tracemalloc.start()
    start = START
    while got := await records_in(blobs, info, start, 1, format=kind):
        start = got[0].end._replace(number=start.number + 1)
        start = start._replace(offset=start.offset + len(line) * 99_999)
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 6
    assert peak < 40_000_000


# csv


@given(
    rows=st.lists(st.lists(TEXTS, min_size=2, max_size=2).filter(lambda row: "".join(row).strip()), max_size=5),
    header=st.lists(NAMES, min_size=2, max_size=2, unique=True),
    how=st.tuples(ENCODINGS, LINE_ENDS, st.sampled_from([None, ";", "\t", "|", "§"]), st.booleans()),
)
def test_every_row_is_an_object_of_its_columns_from_any_position(
    rows: list[list[str]], header: list[str], how: tuple[str | None, str, str | None, bool]
) -> None:
    encoding, end, delimiter, is_packed = how
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter or ",", lineterminator=end)
    writer.writerows([header, *rows])
    data = packed(written.getvalue(), encoding, is_packed)
    source = {"format": "csv", "encoding": encoding, "delimiter": delimiter}
    expected = [dict(zip(header, row, strict=True)) for row in rows]

    async def both() -> None:
        assert [json.loads(text) for text in await texts(data, **source)] == expected
        assert [json.loads(text) for text in await resumed(data, **source)] == expected

    asyncio.run(both())


async def test_only_the_columns_that_are_named_are_told_in_their_order() -> None:
    found = await texts(b"a, b ,c\n1,2,3\n", format="csv", columns=["c", "b"])

    assert found == ['{"c":"3","b":"2"}']


async def test_a_row_that_is_too_short_lacks_columns_and_one_without_values_is_none() -> None:
    found = await records(b"a,b,c\n1\n,,\n \n\n1,2,3,,\n", format="csv")

    assert [record.text for record in found] == ['{"a":"1"}', '{"a":"1","b":"2","c":"3"}']


async def test_a_row_with_values_beyond_the_header_is_one_failure() -> None:
    found = await records(b"a,b\n1,2,3\n4,5\n", format="csv")

    assert found[0].problem == (
        "row 1 has 3 fields under a header of 2: is source.delimiter right, are quotes missing?"
    )
    assert found[1].text == '{"a":"4","b":"5"}'


async def test_quotes_that_are_not_csv_are_one_failure() -> None:
    found = await records(b'a,b\n"x"y,2\n4,5" pipe\n', format="csv")

    assert "its quotes are not those of CSV" in (found[0].problem or "")
    assert found[1].text == '{"a":"4","b":"5\\" pipe"}'


async def test_a_quote_that_is_not_closed_is_a_failure_at_the_end() -> None:
    found = await records(b'a\nx\n"y\nz\n', format="csv")

    assert [record.problem is None for record in found] == [True, False]


async def test_a_quote_that_is_not_closed_does_not_take_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_RECORD_BYTES", 50)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 20)
    blobs = MemoryBlobs({SOURCE: {BLOB: b'a\nx\n"y\n' + b"z\n" * 1000}})
    [info] = (await blobs.listed(SOURCE, "")).blobs

    assert [record.text for record in await records_in(blobs, info, most=1, format="csv")] == ['{"a":"x"}']
    with pytest.raises(DocumentUnreadable, match="a quote not closed"):
        await records_in(blobs, info, format="csv")
    assert len(blobs.calls) < 20


@pytest.mark.parametrize(("rows", "bytes_each"), [(1, 60), (1, 200), (3, 51)])
async def test_a_row_of_one_line_that_is_too_long_ends_the_blob(
    monkeypatch: pytest.MonkeyPatch, rows: int, bytes_each: int
) -> None:
    monkeypatch.setattr(csv_rows, "MAX_RECORD_BYTES", 50)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 20)
    with pytest.raises(DocumentUnreadable, match="more than 50 bytes"):
        await records(b"a\nx\n" + (b"y" * bytes_each + b"\n") * rows, format="csv")


async def test_a_field_may_be_as_long_as_a_row() -> None:
    assert await texts(b"a\n" + b"x" * 1_000_000, format="csv") == ['{"a":"%s"}' % ("x" * 1_000_000)]


async def test_a_row_that_is_no_text_is_one_failure() -> None:
    found = await records(b"a,b\n1,\x81\n2,3\n", format="csv")

    assert "row 1: the bytes are not text" in (found[0].problem or "")
    assert found[1].text == '{"a":"2","b":"3"}'


async def test_rows_before_the_place_where_gzip_breaks_are_read() -> None:
    data = gzip.compress(b"a\n" + b"\n".join(b"%d" % number for number in range(100)))
    blobs = MemoryBlobs({SOURCE: {BLOB: data[:-2]}})
    [info] = (await blobs.listed(SOURCE, "")).blobs

    assert len(await records_in(blobs, info, most=99, format="csv")) == 99
    with pytest.raises(DocumentUnreadable, match="too early"):
        await records_in(blobs, info, format="csv")


@pytest.mark.parametrize(
    ("header", "columns", "told"),
    [
        (b"a,b", ["c"], "there is no column 'c'; the header has 'a', 'b'"),
        (b"a,b,a", None, "the column 'a' twice"),
        (b"a,b,a", ["a"], "the column 'a' twice"),
        (b'"a', None, "the header"),
        (b"x" * 30_000, None, "the header has more than"),
    ],
)
async def test_a_header_that_does_not_do_makes_the_blob_unreadable(
    header: bytes, columns: list[str] | None, told: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=told):
        await records(header + b"\n1,2,3\n", format="csv", columns=columns)


async def test_a_column_that_is_there_twice_does_not_matter_if_others_are_read() -> None:
    assert await texts(b"a,b,a\n1,2,3\n", format="csv", columns=["b"]) == ['{"b":"2"}']


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "", ",,"])
async def test_what_cannot_delimit_is_rejected_at_once(delimiter: str) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        await records(b"", format="csv", delimiter=delimiter)


# json


@given(values=st.lists(JSON_VALUES, max_size=6), encoding=ENCODINGS, is_packed=st.booleans())
def test_every_item_of_an_array_is_a_text_from_any_position(
    values: list[Any], encoding: str | None, is_packed: bool
) -> None:
    data = packed(json.dumps({"data": {"items": values}}, ensure_ascii=False, indent=1), encoding, is_packed)
    source = {"format": "json", "encoding": encoding, "path": "data.items"}

    async def both() -> None:
        assert await texts(data, **source) == [compact(value) for value in values]
        assert await resumed(data, **source) == [compact(value) for value in values]

    asyncio.run(both())


@pytest.mark.parametrize(
    ("data", "path", "told"),
    [
        (b'{"a": [1]}', None, "the root is no array but an object with the keys 'a'"),
        (b'{"a": [1]}', "b", "there is no 'b' in the root, which is an object with the keys 'a'"),
        (b'{"a": [1]}', "a.b", "there is no 'b' in 'a', which is an array"),
        (b"{}", "a", "an empty object"),
        (b"5", None, "the root is no array but a plain value"),
        (b"[1", None, "the blob is not JSON"),
        (b"", None, "the blob is not JSON"),
        (b'["\x81"]', None, "not text"),
    ],
)
async def test_json_without_the_array_is_unreadable(data: bytes, path: str | None, told: str) -> None:
    with pytest.raises(DocumentUnreadable, match=told):
        await records(data, format="json", path=path)


async def test_an_item_that_cannot_be_passed_on_is_one_failure() -> None:
    found = await records(b'["a", "\\ud800", 3]', format="json")

    assert [record.text for record in found] == ["a", "", "3"]
    assert found[1].problem == "item 2 cannot be passed on: a string holds half of a surrogate pair"


async def test_json_has_a_bound_and_the_error_says_what_else_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "MAX_JSON_BYTES", 10)
    with pytest.raises(DocumentUnreadable, match="'jsonl'"):
        await records(b"[1, 2, 3, 4]", format="json")


async def test_windows_1252_is_told_by_the_blob_as_a_whole() -> None:
    assert await texts('["größer"]'.encode("cp1252"), format="json") == ["größer"]


async def test_a_blob_without_its_head_is_read_from_its_start() -> None:
    blobs = MemoryBlobs({SOURCE: {BLOB: b'"a"'}})
    info = BlobInfo(BLOB, 3, (await blobs.listed(SOURCE, "")).blobs[0].etag)

    assert [record.text for record in await records_in(blobs, info, format="jsonl")] == ["a"]
