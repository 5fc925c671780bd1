"""Forms: what invoices, orders and the like state beside a label: dates, amounts, numbers, parties and currencies.

A field is matched to labels by words: its own, and what the same thing is called on English, German and French forms.
Nothing is computed, and a field that no label fits gets nothing from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from local_host.offline.words import word_set

MEANINGS = {
    "invoice": word_set("rechnung rechnungsnummer rechnungsnr rechnungsdatum facture"),
    "order": word_set("bestellung bestellnummer auftrag auftragsnummer commande"),
    "customer": word_set("client kunde kundennummer buyer to an"),
    "supplier": word_set("seller vendor from lieferant fournisseur von issuer company"),
    "due": word_set("zahlbar fällig fälligkeit échéance"),
    "delivery": word_set("lieferung lieferdatum livraison"),
    "net": word_set("subtotal netto nettobetrag ht"),
    "vat": word_set("tax mwst ust tva iva"),
    "total": word_set("pay gesamt gesamtbetrag rechnungsbetrag ttc payer"),
    "date": word_set("datum rechnungsdatum lieferdatum on"),
    "number": word_set("no nr nummer numéro rechnungsnummer bestellnummer kundennummer id reference ref code"),
}
"""Words of labels that say the same as the word of a field."""
MONTHS = (
    "january januar janvier", "february februar février", "march märz mars", "april avril", "may mai",
    "june juni juin", "july juli juillet", "august août", "september septembre", "october oktober octobre",
    "november novembre", "december dezember décembre",
)  # fmt: skip
SYMBOLS = {"€": "EUR", "£": "GBP", "$": "USD"}
NUMBER_WORDS = word_set("number no nr id reference ref code")
PARTIES = word_set("supplier seller vendor issuer company customer client buyer")
TYPE_WORDS = word_set("date number amount sum name value")
"""What a field's name says of its kind: the labels of a kind differ by other words."""

LABEL_WORD = re.compile(r"[^\W\d_]+")
DATE = re.compile(
    r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b"
    r"|\b(?P<first>\d{1,2})[./](?P<second>\d{1,2})[./](?P<last>\d{4})\b"
    r"|\b(?P<in_month>\d{1,2})\.? (?P<name>[^\W\d_]{3,9})\.? (?P<in_year>\d{4})\b"
)
AMOUNT = re.compile(r"(?<![\w.,])-?\d{1,3}(?:(?:[., \u00a0\u202f’']\d{3})+|\d*)[.,]\d\d(?![\w%]|[.,]\d| %)")
IDENTIFIER = re.compile(r"[^\W_]*[-/.]?[^\W_]*\d[\w/.-]*\w")
PARTY = re.compile(
    r"(?P<name>[^\W\d_][\w&.' -]*? (?:Ltd|PLC|LLC|Inc|GmbH|AG|KG|SE|SARL|SAS|S\.A\.|S\.r\.l\.|S\.p\.A\.|B\.V\.|N\.V\.))"
    r"(?!\w)"
)
COLON = re.compile(r"[^\W\d_]+ ?:")


class Found(NamedTuple):
    """A value as it is written, and the words before it on its line."""

    label: frozenset[str]
    text: str


class Forms:
    """A text, searched line by line."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def dates(self, words: Sequence[str]) -> Iterator[str]:
        """Dates as YYYY-MM-DD, the best for a field of these words first; in `3/7/2026` the day comes first."""
        dates = ((found, _iso(found.text)) for found in _ranked(self._found(DATE), words))
        yield from (iso for _, iso in dates if iso)

    def amounts(self, words: Sequence[str]) -> Iterator[float]:
        """Amounts with two decimals whose label has what the field is about, the best first."""
        about = meanings(words) - TYPE_WORDS
        for found in _ranked(self._found(AMOUNT), words):
            if found.label & about:
                yield float(re.sub(r"[^\d-]", "", found.text)) / 100

    def identifiers(self, words: Sequence[str]) -> Iterator[str]:
        """What follows the name of a thing, or `number` after it: `Invoice no. F-17`."""
        about = meanings(words) - meanings(NUMBER_WORDS & set(words)) - TYPE_WORDS
        for line in self._lines:
            tokens = line.split()
            for index, token in enumerate(tokens):
                if meanings(_words(token)) & about and (value := _identifier(tokens[index + 1 :])):
                    yield value

    def parties(self, words: Sequence[str]) -> Iterator[str]:
        """Companies by their legal form; those who sent the form stand on it first, or are said to."""
        asked = meanings(words)
        found = [(line, match) for line in self._lines for match in PARTY.finditer(line)]
        for line, match in found:
            if _before_colon(line[: match.start()]) & asked:
                yield match["name"]
        if "supplier" in asked:
            unlabelled = (match for line, match in found if not _before_colon(line[: match.start()]))
            yield from (match["name"] for match in unlabelled)

    def currency(self, options: Sequence[str]) -> str | None:
        """The one of these codes that stands in the text most often, by itself or as its symbol."""
        text = "\n".join(self._lines)
        counts = {option: len(re.findall(rf"\b{re.escape(option)}\b", text)) for option in options}
        for symbol, code in SYMBOLS.items():
            if code in counts:
                counts[code] += text.count(symbol)
        best = max(counts, key=lambda option: counts[option], default=None)
        return best if best is not None and counts[best] else None

    def _found(self, pattern: re.Pattern[str]) -> Iterator[Found]:
        """All values, each with the text between it and the one before it as its label."""
        for line in self._lines:
            end = 0
            for match in pattern.finditer(line):
                yield Found(meanings(_words(line[end : match.start()])), match.group())
                end = match.end()


def meanings(words: Iterator[str] | Sequence[str] | frozenset[str]) -> frozenset[str]:
    """Words, and those that they stand for."""
    said = {word.lower() for word in words}
    return frozenset(said | {meaning for meaning, others in MEANINGS.items() if others & said})


def _ranked(found: Iterator[Found], words: Sequence[str]) -> list[Found]:
    """Values by their labels: that tell of what the field is about, then of its kind, then of little else."""
    asked = meanings(words)
    about = asked - TYPE_WORDS

    def fitness(one: Found) -> tuple[int, int, int]:
        others = (one.label & MEANINGS.keys()) - asked
        return -min(1, len(one.label & about)), -len(one.label & asked & TYPE_WORDS), len(others)

    return sorted(found, key=fitness)


def _words(text: str) -> list[str]:
    return LABEL_WORD.findall(text)


def _before_colon(text: str) -> frozenset[str]:
    return meanings([word for label in COLON.findall(text) for word in _words(label)])


def _identifier(tokens: Sequence[str]) -> str | None:
    """The number that these tokens begin with, after words for `number`."""
    for token in tokens:
        if IDENTIFIER.fullmatch(bare := token.strip(":;,()#")):
            return bare
        if bare and not meanings(_words(bare)) & {"number"}:
            return None
    return None


def _iso(text: str) -> str | None:
    """A date in ISO format; None where there is no such day."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    if match["year"]:
        year, month, day = match["year"], match["month"], match["day"]
    elif match["last"]:
        year, month, day = match["last"], match["second"], match["first"]
    else:
        year, month, day = match["in_year"], _month(match["name"]), match["in_month"]
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def _month(name: str) -> int:
    """The number of the month that begins so; 0 if none does."""
    begun = (any(month.startswith(name.lower()) for month in names.split()) for names in MONTHS)
    return next((number for number, fits in enumerate(begun, 1) if fits), 0)
