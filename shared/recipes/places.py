"""Which parameter may stand where in a request: what a caller words never becomes part of an instruction unmarked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.contracts.recipe import Parameter, RecipeFile
from shared.recipes.placeholders import Path, Use, misspelt, shown, uses

Place = tuple[str, ...]

MATERIAL: tuple[Place, ...] = (
    ("input",),
    ("sections", "*", "input"),
    ("question",),
    ("sections", "*", "vote", "question"),
    ("context",),
    ("documents", "*", "content"),
)
"""What prompts have between tags, as data (`shared/prompts.py`, `shared/voting/prompts.py`)."""
LISTS: tuple[Place, ...] = (
    ("ballot", "options"),
    ("ballot", "criteria"),
    ("sections", "*", "vote", "ballot", "options"),
    ("sections", "*", "vote", "ballot", "criteria"),
)
"""Lists of short lines, which prompts have between tags, too."""
OF_DOCUMENTS: Mapping[str, Place] = {"documents": ("documents",), "source": ("source",), "sink": ("sink",)}
SCHEMA = "output_schema"


def misplaced(file: RecipeFile) -> Iterator[tuple[str, str]]:
    """Each fault in a recipe's use of its parameters: where, and what is wrong."""
    request = dict(file.request)
    for path in misspelt(request):
        yield shown(("request", *path)), "after '{{' comes the name of a parameter and '}}', and none stands in a key"
    used = list(uses(request))
    for use in used:
        where = shown(("request", *use.path))
        parameter = file.parameters.get(use.name)
        if parameter is None:
            yield where, f"{use.name!r} is none of the parameters, {', '.join(file.parameters)}"
        elif problem := _problem(parameter, use):
            yield where, f"the parameter {use.name!r}, of type {parameter.type!r}, {problem}"
    names = [use.name for use in used]
    for name in file.parameters:
        if name not in names:
            yield f"parameters.{name}", "the request does not use it"


def _problem(parameter: Parameter, use: Use) -> str | None:
    place = _place(use.path)
    match parameter.type:
        case "string" | "integer" | "number" | "boolean" | "choice":
            absent = not parameter.required and parameter.default is None
            if absent and not use.whole and place not in MATERIAL:
                return "may be absent, which would leave a gap in the text; make it required, or give it a default"
            return None
        case "text":
            return None if place in MATERIAL else f"goes into what prompts mark as data: {_listed(MATERIAL)}"
        case "strings":
            fits = place in LISTS if use.whole else place in MATERIAL
            return None if fits else f"is the whole of {_listed(LISTS)}, or part of {_listed(MATERIAL)}"
        case "fields":
            return None if use.whole and SCHEMA in place else f"is a whole schema in an {SCHEMA!r}"
        case kind:
            fits = use.whole and place == OF_DOCUMENTS[kind]
            return None if fits else f"is the whole of the request's {kind!r}"


def _place(path: Path) -> Place:
    return tuple("*" if isinstance(key, int) else key for key in path)


def _listed(places: tuple[Place, ...]) -> str:
    return ", ".join(".".join(place).replace(".*", "[]") for place in places)
