"""Names of the blobs in a run's folder; `RunFolder` shows them together."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import quote

from shared.contracts.work import MAP_STAGE, RunFolder, files_of, level_of

MAX_WORK_CHARS = 400
"""Of a work in a blob's name: with a folder of 500 characters and the run's id it stays under Azure's 1,024."""
HEAD_CHARS = 300
MAX_SEGMENTS = 60
"""Of a work in a blob's name; Azure takes 254 in a name as a whole."""
KEPT = "/._+#-"
"""Beside letters and digits of ASCII, which `quote` keeps."""
DOTS = re.compile(r"(?<![^/])\.{1,2}(?![^/])")
"""A segment that clients take for a step in a path, and leave out of the URL."""
LONE_SLASH = re.compile(r"(?:(?<=/)|^)/|/$")
"""A slash with an empty segment before or after it."""
PART = re.compile(r"(^|/)parts/[0-9]{5,}\.txt$")


def work_path(name: str) -> str:
    """A work's name as a part of a blob's: as it is if it is plain, no two names alike.

    Other characters are percent-encoded, and so is what a URL would lose: segments that are empty or all dots. Of a
    name that is too long, the beginning stays, with a tilde, which no encoded name has, and a hash of it all.
    """
    encoded = quote(name, safe=KEPT, errors="surrogatepass").replace("~", "%7E")
    encoded = LONE_SLASH.sub("%2F", DOTS.sub(lambda dots: "%2E" * len(dots[0]), encoded))
    if len(encoded) <= MAX_WORK_CHARS and encoded.count("/") < MAX_SEGMENTS:
        return encoded
    head = "/".join(encoded.split("/")[:MAX_SEGMENTS])[:HEAD_CHARS]
    return f"{head}~{sha256(name.encode(errors='surrogatepass')).hexdigest()}"


def document_blob(folder: RunFolder, work: str) -> str:
    """What came of a work of the map."""
    return f"{documents_folder(folder)}{work_path(work)}.json"


def documents_folder(folder: RunFolder) -> str:
    """Where the works of the map have a blob each."""
    return files_of(folder).documents


def stage_path(stage: str) -> str:
    """Where a stage has its pages, in the run's folder: there itself for the map, `reduce/2/` for `reduce-2`."""
    return "" if stage == MAP_STAGE else f"reduce/{level_of(stage)}/"


def page_path(stage: str, number: int) -> str:
    """A page of a stage, in the run's folder."""
    return f"{stage_path(stage)}plan/{number:05}.json"


def answer_path(stage: str, call: str) -> str:
    """What a call of a reduction has answered, in the run's folder."""
    return f"{stage_path(stage)}answers/{call}.json"


def part_path(number: int) -> str:
    """Texts that are no blobs of their own, in the run's folder."""
    return f"parts/{number:05}.txt"


def is_part(blob: str) -> bool:
    """Whether a blob in a run's folder has such texts."""
    return PART.search(blob) is not None


def request_blob(folder: RunFolder) -> str:
    """The request, documents left out."""
    return f"{folder.name}request.json"


def origin_blob(folder: RunFolder) -> str:
    """In a redrive's folder: the folder of the run that it goes on from."""
    return f"{folder.name}redrive_of.json"


def page_blob(folder: RunFolder, stage: str, number: int) -> str:
    """A page of a stage, as it was planned."""
    return folder.name + page_path(stage, number)


def opened_blob(folder: RunFolder, stage: str, number: int) -> str:
    """There if a page was ever opened: one that was not has no results to look for."""
    return f"{folder.name}{stage_path(stage)}pages/{number:05}.opened"


def summary_blob(folder: RunFolder, stage: str, number: int) -> str:
    """A page's summary, there once it is closed."""
    return f"{folder.name}{stage_path(stage)}pages/{number:05}.json"


def answer_blob(folder: RunFolder, stage: str, call: str) -> str:
    """What a call of a reduction has answered."""
    return folder.name + answer_path(stage, call)


def results_blob(folder: RunFolder) -> str:
    """The works of the map that succeeded, a line each."""
    return f"{folder.name}results.jsonl"


def failures_blob(folder: RunFolder) -> str:
    """The other works of the map, a line each."""
    return f"{folder.name}failures.jsonl"


def manifest_blob(folder: RunFolder) -> str:
    """The map's counts and files."""
    return f"{folder.name}manifest.json"
