"""Records of all outputs as JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.table import cell, harmless, tabulated
from shared.contracts.reduction import TableReduction
from tests.shared.aggregation.outcomes import succeeded
from tests.shared.strategies import JSON_OBJECTS, JSON_VALUES

TEXTS = st.text(alphabet=st.sampled_from('ab,;"\r\n =+-@\t') | st.characters(exclude_categories=["Cs"]), max_size=20)
RECORDS = st.lists(st.dictionaries(TEXTS, TEXTS | JSON_VALUES, max_size=4), max_size=4)


def table_of(*outputs: Any, **fields: Any) -> tuple[str, list[str]]:
    outcomes = [succeeded(f"d{number}", output) for number, output in enumerate(outputs)]
    return tabulated(outcomes, TableReduction(**fields))


def table_of_parts(*outputs: Any, **fields: Any) -> tuple[str, list[str]]:
    """The table of a note that is whole, and of the parts of a log."""
    names = ["note", *(f"log+{number}" for number in range(1, len(outputs)))]
    outcomes = [succeeded(name, output) for name, output in zip(names, outputs, strict=True)]
    return tabulated(outcomes, TableReduction(**fields), split=True)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_records_come_with_the_id_of_their_document() -> None:
    outputs = {"found": [{"code": 1}, {"code": 2, "note": "late"}]}, {"found": [{"code": 3}]}

    text, without = table_of(*outputs, format="csv", records="found")
    assert text == "document,code,note\r\nd0,1,\r\nd0,2,late\r\nd1,3,\r\n"
    text, without = table_of(*outputs, records="found")
    assert text.splitlines() == [
        '{"document": "d0", "code": 1}',
        '{"document": "d0", "code": 2, "note": "late"}',
        '{"document": "d1", "code": 3}',
    ]
    assert without == []


def test_without_a_list_the_output_is_the_record() -> None:
    assert table_of({"a": 1}, {"a": 2}, format="csv")[0] == "document,a\r\nd0,1\r\nd1,2\r\n"


def test_a_document_without_the_list_is_named_and_one_with_an_empty_list_is_not() -> None:
    text, without = table_of({"found": None}, {}, {"found": []}, {"found": ["x"]}, format="csv", records="found")

    assert without == ["d0", "d1"]
    assert text == "document,found\r\nd3,x\r\n"


def test_columns_are_those_that_are_asked_for_in_their_order() -> None:
    record = {"a": 1, "b": 2, "c": 3}

    assert table_of(record, format="csv", columns=["c", "x", "a"])[0] == "document,c,x,a\r\nd0,3,,1\r\n"
    assert table_of(record, columns=["c", "x"])[0] == '{"document": "d0", "c": 3, "x": null}\n'


def test_a_field_called_document_keeps_its_name() -> None:
    assert table_of({"document": "x", "_document": 1})[0] == '{"__document": "d0", "document": "x", "_document": 1}\n'
    assert table_of({"document": "x"}, format="csv")[0] == "_document,document\r\nd0,x\r\n"


def test_records_of_a_split_document_come_with_its_id_and_the_number_of_the_part() -> None:
    outputs = {"a": [1]}, {"a": [2]}, {}, {"a": [3]}

    text, without = table_of_parts(*outputs, format="csv", records="a")
    assert text == "document,part,a\r\nnote,,1\r\nlog,1,2\r\nlog,3,3\r\n"
    assert without == ["log+2"]
    assert table_of_parts(*outputs, records="a")[0].splitlines() == [
        '{"document": "note", "part": null, "a": 1}',
        '{"document": "log", "part": 1, "a": 2}',
        '{"document": "log", "part": 3, "a": 3}',
    ]


def test_a_field_called_part_keeps_its_name() -> None:
    record = {"part": "x", "document": "y"}
    assert table_of_parts({}, record, format="csv")[0] == ("_document,_part,part,document\r\nnote,,,\r\nlog,1,x,y\r\n")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\n=1", "＝1", "\u00a0@x"])
def test_a_text_that_a_spreadsheet_would_compute_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert read(table_of({text: text}, format="csv")[0]) == [["document", f"'{text}"], ["d0", f"'{text}"]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-5, "-5"), (1.5, "1.5"), (True, "true"), (None, ""), ("a-b", "a-b"), ("", ""), ({"a": ["é"]}, '{"a": ["é"]}')],
)
def test_numbers_and_structures_are_shown_as_json(value: Any, shown: str) -> None:
    assert cell(value) == shown


@given(RECORDS)
def test_a_csv_reader_reads_what_was_written(records: list[dict[str, Any]]) -> None:
    rows = read(table_of({"r": records}, format="csv", records="r")[0])

    fields = list(dict.fromkeys(field for record in records for field in record))
    assert rows[0][1:] == [harmless(field) for field in fields]
    assert rows[1:] == [["d0", *(cell(record.get(field)) for field in fields)] for record in records]


@given(st.lists(JSON_OBJECTS, max_size=4))
def test_each_json_line_is_a_record(records: list[Any]) -> None:
    lines = table_of({"r": records}, records="r")[0].split("\n")[:-1]

    assert [json.loads(line) for line in lines] == [{"document": "d0", **record} for record in records]
