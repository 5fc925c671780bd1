"""Forms: values beside labels, in three languages, and nothing where no label fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from local_host.offline.forms import Forms

ROOT = Path(__file__).parents[2]
INVOICES = sorted((ROOT / "samples" / "invoices").glob("*.txt"))
REQUEST = json.loads((ROOT / "samples" / "requests" / "invoices.json").read_text("utf-8"))


def read(text: str) -> dict[str, Any]:
    """What the offline model reads of an invoice, by the sample request."""
    schema = REQUEST["map"]["output_schema"]
    prompt = f'<document id="invoice">\n{text}\n</document>'
    return json.loads(answer(REQUEST["map"]["instructions"], prompt, OutputFormat("json_schema", "invoice", schema)))


READ = {
    "002-kestrel": "KP/5206|Kestrel Packaging Ltd|2026-07-03|2026-08-02|GBP|5631.1|1126.22|6757.32",
    "006-atelier": "F2607006|Atelier Roussel SARL|2026-07-11|2026-08-25|EUR|4769.9|953.98|5723.88",
    "008-brandt": "RE-2026-1056|Brandt & Söhne GmbH|2026-07-17|2026-08-16|EUR|2883.42|547.85|3431.27",
    "012-northlight": "202607-0012|Northlight Couriers B.V.|2026-07-21|2026-09-04|EUR|3008.25|631.73|3639.98",
}


@pytest.mark.parametrize("name", READ)
def test_an_invoice_is_read_in_english_french_and_german(name: str) -> None:
    found = read((ROOT / "samples" / "invoices" / f"{name}.txt").read_text("utf-8"))
    assert "|".join(map(str, found.values())) == READ[name]


def test_each_sample_invoice_is_read_to_amounts_that_add_up_and_dates_in_their_order() -> None:
    assert len(INVOICES) == 40
    for path in INVOICES:
        found = read(path.read_text("utf-8"))
        assert found["net"] + found["vat"] == pytest.approx(found["total"], abs=0.005), path.name
        assert "2026-07-01" < found["invoice_date"] < found["due_date"], path.name


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Total: 1,234.56 EUR", 1234.56),
        ("Total: 1.234,56 EUR", 1234.56),
        ("Total: 1 234,56 EUR", 1234.56),
        ("Total: EUR 1234.56", 1234.56),
        ("Total: -12.30", -12.3),
        ("Subtotal 10.00, total 12.00", 12.0),
        ("Total HT : 10,00\nTotal TTC : 12,00", 12.0),
    ],
)
def test_amounts_are_read_however_they_are_written(text: str, amount: float) -> None:
    assert next(Forms(text).amounts(("total",))) == amount


@pytest.mark.parametrize(
    "text", ["Total: 20.00%", "Total: 12", "Total 1.2.2026", "Total v1.25.3", "Weight 12.50 kg", ""]
)
def test_what_is_no_amount_of_this_name_is_left(text: str) -> None:
    assert list(Forms(text).amounts(("total",))) == []


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Due 2026-03-04", "2026-03-04"),
        ("Due: 4 March 2026", "2026-03-04"),
        ("Zahlbar bis 4. März 2026", "2026-03-04"),
        ("Échéance : 04/03/2026", "2026-03-04"),
        ("Date: 1.2.2026, due 4.3.2026", "2026-03-04"),
    ],
)
def test_dates_are_read_however_they_are_written(text: str, date: str) -> None:
    assert next(Forms(text).dates(("due", "date"))) == date


@pytest.mark.parametrize("text", ["Due 31.02.2026", "Due 12 Smarch 2026", "Due soon", "Due 1.2.3"])
def test_a_day_that_does_not_exist_is_no_date(text: str) -> None:
    assert list(Forms(text).dates(("due", "date"))) == []


def test_a_number_is_that_of_the_thing_that_the_field_names() -> None:
    forms = Forms("Order no. B-77 of invoice F-17\nInvoice date: 3 May 2026")
    assert list(forms.identifiers(("invoice", "number"))) == ["F-17"]
    assert list(forms.identifiers(("order", "id"))) == ["B-77"]
    assert list(forms.identifiers(("parcel", "number"))) == []


def test_parties_are_told_apart_by_their_labels() -> None:
    forms = Forms("To: Larkfield Ltd, Exeter\nFrom: Kestrel Packaging Ltd, Bristol")
    assert next(forms.parties(("customer",))) == "Larkfield Ltd"
    assert next(forms.parties(("supplier",))) == "Kestrel Packaging Ltd"


def test_a_currency_is_the_one_that_stands_in_the_text_most_often() -> None:
    options = ["EUR", "GBP", "USD"]
    assert Forms("£3.00 and £4.00, about 9 EUR").currency(options) == "GBP"
    assert Forms("3.00").currency(options) is None
