"""Material: a prompt taken apart into the task, the blocks of data to work on, the question and its options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import unescape

from local_host.offline.text import BULLET, Unit, content_stems, split_units

# A block begins on a line of its own or at the start, so that markup inside a document is left to the document.
OPENING = re.compile(r"^[ \t]*<(?P<tag>[a-z][a-z0-9_-]*)(?P<attributes>(?:\s+[\w-]+=\"[^\"]*\")*)\s*>", re.MULTILINE)
ATTRIBUTE = re.compile(r"([\w-]+)=\"([^\"]*)\"")
DATA_TAGS = (
    "input|inputs|section|sections|document|documents|question|options|option|output|outputs|chunk|chunks|context|"
    "data|material|branch|branches|result|results|answer|answers|candidate|candidates|item|items|task|part|parts|"
    "summary|summaries|batch|finding|findings|opinion|opinions|ballot|ballots|missing|failed"
)
STRAY_TAG = re.compile(rf"</?(?:{DATA_TAGS})(?:\s[^<>]*)?>")
NAMING_ATTRIBUTES = ("name", "id", "title", "voter", "source")
QUESTION_TAGS = ("question",)
OPTION_TAGS = ("options",)
# What scores are asked for is told once more by the schema of the answer.
CRITERIA_TAGS = ("criteria",)
# How much of a whole the blocks are: told to a reader, and no material.
SCOPE_TAGS = ("scope",)
# Names of what the prompt lacks, one a line.
MISSING_TAGS = ("missing",)
TASK_TAGS = ("task", "instructions")
# What a request to repair an answer adds to the prompt: the old answer is no material.
REPAIR = re.compile(r"\n*^<rejected_answer>.*", re.DOTALL | re.MULTILINE)
GENERIC_NAMES = frozenset({"input", "material", "context", "data", "document", "section", "chunk"})
INLINE_OPTIONS = re.compile(
    r"\b(?P<cue>(?:options|choices)(?: are)?:|one of|either|choose between"
    r"|(?:answer|reply|respond)(?: only| just)?(?: with)?):?"
    r"\s+(?P<list>[^\n.?!]{3,200})",
    re.IGNORECASE,
)
OPTION_SEPARATOR = re.compile(r"\s*(?:,\s*(?:or|and)\s+|,|;|\||/|\s+or\s+)\s*")
MAX_OPTION_WORDS = 6
# What says how long an answer is to be, and not what: "in one or two sentences".
LENGTH = re.compile(r"\b(?:words?|sentences?|lines?|paragraphs?|characters?)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """One named piece of data of the prompt; `number` is the one that it may have there."""

    name: str
    text: str
    number: int | None = None

    def units(self) -> list[Unit]:
        """Its sentences or lines; of JSON, the sentences of its values."""
        if self.text[:1] in ("{", "["):
            try:
                return split_units("\n\n".join(_leaves(json.loads(self.text), "")), self.name)
            except (ValueError, RecursionError):
                pass
        return split_units(self.text, self.name)


@dataclass(frozen=True)
class Material:
    """What one prompt holds: `task` says what to do, `blocks` are what to do it on.

    `is_ballot` says that the prompt is a question above all, rather than a text in which one is asked; `is_bare` says
    that it came with nothing else, so that the blocks are but the question once more.
    """

    task: str
    blocks: tuple[Block, ...]
    question: str = ""
    options: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    is_ballot: bool = False
    is_bare: bool = False

    @cached_property
    def units(self) -> list[Unit]:
        """Every sentence or line of every block, in order."""
        units = [unit for block in self.blocks for unit in block.units()]
        for position, unit in enumerate(units):
            unit.position = position
        return units

    @cached_property
    def text(self) -> str:
        """All blocks as one text."""
        return "\n\n".join(block.text for block in self.blocks)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all blocks."""
        return content_stems(self.text)


def read_material(instructions: str, user_input: str) -> Material:
    """Takes a prompt apart. Without any tags the whole input is the material, and its question if it asks one."""
    user_input = without_repair(user_input)
    found, outside = _find_blocks(user_input)
    question = "\n".join(text for tag, _, text in found if tag in QUESTION_TAGS)
    tagged_options = [text for tag, _, text in found if tag in OPTION_TAGS]
    tasks = [text for tag, _, text in found if tag in TASK_TAGS]
    blocks = [
        Block(_name(tag, attributes), text, _number(attributes))
        for tag, attributes, text in found
        if tag not in (*QUESTION_TAGS, *OPTION_TAGS, *CRITERIA_TAGS, *SCOPE_TAGS, *TASK_TAGS, *MISSING_TAGS)
    ]
    is_bare = bool(found) and not blocks
    if not found:
        blocks, outside = [Block("", _untag(user_input))], ""
        question = question or _asked(user_input)
    elif not blocks:
        blocks = [Block("", text) for text in (question, outside) if text.strip()]
    task = "\n".join(part for part in (instructions, outside, *tasks) if part.strip())
    options = _listed_options("\n".join(tagged_options)) or _inline_options(f"{question}\n{instructions}")
    is_ballot = any(tag in QUESTION_TAGS for tag, _, _ in found) or user_input.strip() == question.strip() != ""
    options = options if is_ballot or tagged_options or question else ()
    missing = [line.strip() for tag, _, text in found if tag in MISSING_TAGS for line in text.splitlines()]
    return Material(
        _untag(task), tuple(blocks), _untag(question), options, tuple(filter(None, missing)), is_ballot, is_bare
    )


def without_repair(user_input: str) -> str:
    """The prompt as it was before it asked to repair an answer: the material is the same."""
    return REPAIR.sub("", user_input)


def _find_blocks(text: str) -> tuple[list[tuple[str, str, str]], str]:
    """The top-level `<tag …>…</tag>` pieces as (tag, attributes, inner text), and the text outside of them."""
    found: list[tuple[str, str, str]] = []
    outside: list[str] = []
    end = 0
    while opening := OPENING.search(text, end):
        closing = f"</{opening['tag']}>"
        close = text.find(closing, opening.end())
        if close < 0:
            outside.append(text[end : opening.end()])
            end = opening.end()
            continue
        outside.append(text[end : opening.start()])
        found += _unwrap(opening["tag"], opening["attributes"], text[opening.end() : close])
        end = close + len(closing)
    outside.append(text[end:])
    return found, "\n".join(part.strip() for part in outside if part.strip())


def _unwrap(tag: str, attributes: str, inner: str) -> list[tuple[str, str, str]]:
    """A wrapper such as `<sections>` stands for the blocks inside; any other block is itself."""
    if tag.endswith("s") and tag not in (*OPTION_TAGS, *CRITERIA_TAGS) and inner.lstrip().startswith("<"):
        inside, between = _find_blocks(inner)
        if inside and not between:
            return inside
    return [(tag, attributes, inner.strip() if tag in OPTION_TAGS else _untag(inner))]


def _name(tag: str, attributes: str) -> str:
    values = dict(ATTRIBUTE.findall(attributes))
    for key in NAMING_ATTRIBUTES:
        if values.get(key):
            return unescape(values[key])
    return "" if tag in GENERIC_NAMES else tag


def _number(attributes: str) -> int | None:
    number = dict(ATTRIBUTE.findall(attributes)).get("number", "")
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None


def _leaves(value: object, key: str) -> Iterator[str]:
    """The values of a JSON document as texts: sentences as they are, short ones behind their key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key)
    elif isinstance(value, str) and len(value.split()) > MAX_OPTION_WORDS:
        yield value
    elif value not in (None, ""):
        label = key.replace("_", " ")
        yield f"{label}: {value}." if label else f"{value}."


def _untag(text: str) -> str:
    return STRAY_TAG.sub("", text).strip()


def _asked(text: str) -> str:
    """The last sentence with a question mark, if there is one."""
    questions = re.findall(r"[^.!?\n]*\?", text)
    return questions[-1].strip() if questions else ""


def _listed_options(text: str) -> tuple[str, ...]:
    """The options in a block: a JSON array, `<option>` elements, or one a line."""
    if not text.strip():
        return ()
    try:
        loaded = json.loads(text)
    except ValueError:
        loaded = None
    if isinstance(loaded, list):
        return tuple(str(option) for option in loaded)
    elements = re.findall(r"<option[^>]*>(.*?)</option>", text, re.DOTALL)
    lines = elements or [BULLET.sub("", line, count=1) for line in text.splitlines()]
    options = [line.strip().strip("`\"'") for line in lines if line.strip()]
    if len(options) == 1:
        options = [option.strip("`\"' ") for option in OPTION_SEPARATOR.split(options[0])]
    return tuple(dict.fromkeys(option for option in options if option))


def _inline_options(text: str) -> tuple[str, ...]:
    """Options named in a sentence: `Answer with approve or reject.`"""
    for match in INLINE_OPTIONS.finditer(text):
        options = [option.strip("`\"' :()") for option in OPTION_SEPARATOR.split(match["list"])]
        if LENGTH.search(options[-1]):
            continue
        plain = match["cue"].lower().startswith(("answer", "reply", "respond"))
        if plain and not re.search(r"\bor\b|/", match["list"]):
            continue
        if len(options) > 1 and all(option and len(option.split()) <= MAX_OPTION_WORDS for option in options):
            return tuple(dict.fromkeys(options))
    return ()
