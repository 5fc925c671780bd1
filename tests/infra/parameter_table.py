"""The table of parameters in `infra/README.md`: `python -m tests.infra.parameter_table` writes it there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.infra.bicep import INFRA, Declaration, read, value_of

PAGE = INFRA / "README.md"
BEGIN, END = "<!-- parameters -->\n", "<!-- end of parameters -->"


def table() -> str:
    """One row for each parameter that azd sets: its name in azd, its default, what it is."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    main = read(INFRA / "main.bicep")
    rows = [row(main.named(name), value["value"]) for name, value in given.items()]
    return "\n".join(["| name in azd | default | what it is |", "|---|---|---|", *rows, ""])


def row(param: Declaration, given: str) -> str:
    """One parameter's row."""
    match = re.match(r"\$\{(\w+)", given)
    assert match
    default = "required" if param.value_node is None else f"`{given[match.end() + 1 : -1]}`"
    allowed = param.decorators.get("allowed", [[]])[0]
    choice = f" One of {', '.join(f'`{one}`' for one in allowed)}." if allowed else ""
    assert param.value_node is None or str(value_of(param.value_node)).lower() == default.strip("`").lower()
    return f"| `{match[1]}` | {default.replace('``', 'empty')} | {param.decorators['description'][0]}{choice} |"


def with_table(page: str) -> str:
    """A page with the table of today."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def write(page: Path = PAGE) -> None:
    """Write the table into the page."""
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
