"""What a run has cost: its tokens, its time on Flex Consumption, its operations on storage.

    curl -s .../api/runs/ID | python -m tools.run_cost --prices my-prices.toml -

Tokens are those that the result states. All else is an estimate from above: an instance is taken to be busy for the
whole run, and each call to wake its run alone. `docs/operations.md#what-a-run-costs` has the formula and an example.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic import ValidationError

from shared.contracts.branch import Usage
from shared.contracts.run import RunResult

EXAMPLE_PRICES = Path(__file__).with_name("prices.example.toml")
DEFAULT_MODEL = "default"

MILLION = 1_000_000
LEAST_BILLED_S = 1.0
"""Flex Consumption bills an active instance for a second at least."""

EXECUTIONS_A_RUN = 20
"""The start, some polls, the last turns; in storage planning, the files and the reduction's plan."""
EXECUTIONS_A_CALL = 4
"""A call in history: two turns of its own orchestration, the activity, and the run that takes note of it."""
EXECUTIONS_A_STORED_CALL = 3
"""A call of a shard: the activity, the shard that takes note of it, and a share of what stages of a reduction take."""
EXECUTIONS_A_PAGE = 8
"""Opened, closed, begun, and told of its places by its neighbours."""

OPERATIONS_AN_EXECUTION = 5
"""Of the Azure Storage backend: a message is put, taken and deleted, history and state are written. An estimate."""
OPERATIONS_A_STORED_CALL = 4
"""A text is read, a result looked for, written, and read again for the files."""
POLLS_A_SECOND = 1.0
"""Of each queue, by `maxQueuePollingInterval` of host.json."""
CONTROL_QUEUES = 4
"""`partitionCount` of host.json."""


class PricesError(ValueError):
    """The prices cannot be used; the message says which one."""


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Of a model, for a million tokens each."""

    million_input_tokens: float
    million_output_tokens: float

    def of(self, usage: Usage) -> float:
        """The price of what was used. What the total has beyond both, such as reasoning, is taken for output."""
        output_tokens = max(usage.output_tokens, usage.total_tokens - usage.input_tokens)
        priced = usage.input_tokens * self.million_input_tokens + output_tokens * self.million_output_tokens
        return priced / MILLION


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices, in one currency."""

    currency: str
    gb_second: float
    million_executions: float
    million_operations: float
    models: Mapping[str, TokenPrices]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a file such as `prices.example.toml`; raise PricesError that names what is missing or wrong."""
        try:
            given = tomllib.loads(text)
            models = {name: TokenPrices(**_amounts(prices, name)) for name, prices in given["models"].items()}
            if DEFAULT_MODEL not in models:
                raise PricesError(f"models.{DEFAULT_MODEL} is missing: the price of what has no entry of its own")
            amounts = _amounts({**given["compute"], **given["storage"]}, "compute or storage")
            return cls(str(given["currency"]), **amounts, models=models)
        except tomllib.TOMLDecodeError as exc:
            raise PricesError(f"the prices are no TOML: {exc}") from exc
        except KeyError as exc:
            raise PricesError(f"{exc.args[0]} is missing; {EXAMPLE_PRICES.name} shows the form") from exc
        except TypeError as exc:
            raise PricesError(f"an entry is missing or unknown ({exc}); {EXAMPLE_PRICES.name} shows the form") from exc

    def of_model(self, model: str) -> TokenPrices:
        """The prices of this model, or the default ones."""
        return self.models.get(model, self.models[DEFAULT_MODEL])


def _amounts(table: Mapping[str, Any], where: str) -> dict[str, float]:
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise PricesError(f"{name} of {where} is {value!r}; it must be a number of 0 or more")
    return dict(table)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run has used. `gb_seconds`, `executions` and `operations` are estimates from above."""

    tokens: Mapping[str, Usage]
    seconds: float
    gb_seconds: float
    executions: int
    operations: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What that costs, in the currency of the prices."""

    models: float
    compute: float
    executions: float
    storage: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.models + self.compute + self.executions + self.storage


def tokens_by_model(result: RunResult) -> dict[str, Usage]:
    """What each model was paid for. The sum is exactly the result's `usage`.

    A result names the model of each outcome, and none where no call succeeded or where outcomes are in storage: those
    tokens are the default's. What a redrive took over, the first run has paid for.
    """
    reused = set(result.reused)
    own = [outcome for outcome in result.outcomes if outcome.name not in reused]
    last = [result.aggregation] if result.aggregation else []
    used: dict[str, Usage] = defaultdict(Usage)
    for outcome in [*own, *last, *result.reductions, *result.judges]:
        used[outcome.model or DEFAULT_MODEL] += outcome.usage
    rest = result.usage - sum(used.values(), Usage())
    used[DEFAULT_MODEL] += rest
    return {model: usage for model, usage in sorted(used.items()) if usage != Usage()}


def resources(result: RunResult, *, memory_gb: float, instances: int) -> Resources:
    """What a run has used, were `instances` of `memory_gb` busy with it alone from its start to its end."""
    calls = result.usage.model_calls
    seconds = max((result.ended_at - result.started_at).total_seconds(), LEAST_BILLED_S)
    executions = EXECUTIONS_A_RUN
    operations = 0
    if result.counts is None:
        executions += EXECUTIONS_A_CALL * calls
    else:
        executions += EXECUTIONS_A_STORED_CALL * calls + EXECUTIONS_A_PAGE * result.counts.pages
        operations += OPERATIONS_A_STORED_CALL * max(calls, result.counts.works)
    polls = seconds * POLLS_A_SECOND * (CONTROL_QUEUES + instances)
    operations += OPERATIONS_AN_EXECUTION * executions + round(polls)
    return Resources(tokens_by_model(result), seconds, seconds * memory_gb * instances, executions, operations)


def cost(used: Resources, prices: Prices) -> Cost:
    """What these resources cost."""
    return Cost(
        models=sum(prices.of_model(model).of(usage) for model, usage in used.tokens.items()),
        compute=used.gb_seconds * prices.gb_second,
        executions=used.executions * prices.million_executions / MILLION,
        storage=used.operations * prices.million_operations / MILLION,
    )


def report(result: RunResult, used: Resources, prices: Prices) -> str:
    """A few lines for people."""
    priced = cost(used, prices)
    lines = [f"run {result.id}, {result.pattern}, {result.status}: {used.seconds:.1f} s"]
    for model, usage in used.tokens.items():
        output_tokens = usage.total_tokens - usage.input_tokens
        what = f"{usage.input_tokens:,} in, {output_tokens:,} out, {usage.model_calls:,} calls"
        lines.append(_line(f"model {model}", what, prices.of_model(model).of(usage), prices.currency))
    lines += [
        _line("compute", f"at most {used.gb_seconds:,.1f} GB-s", priced.compute, prices.currency),
        _line("executions", f"at most about {used.executions:,}", priced.executions, prices.currency),
        _line("storage", f"at most about {used.operations:,} operations", priced.storage, prices.currency),
        _line("total", "", priced.total, prices.currency),
    ]
    return "\n".join(lines)


def _line(name: str, what: str, amount: float, currency: str) -> str:
    return f"  {name:<24} {what:<42} {amount:>12.6f} {currency}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the run in a file, or in the standard input, has cost."""
    parser = argparse.ArgumentParser(description="What a run has cost, from its result and your prices.")
    parser.add_argument("result", help="the JSON of GET /api/runs/ID, or - for the standard input")
    parser.add_argument("--prices", type=Path, required=True, help=f"a TOML file of the form of {EXAMPLE_PRICES.name}")
    parser.add_argument("--memory-mb", type=int, default=2048, help="instance memory (default: %(default)s)")
    parser.add_argument("--instances", type=int, default=1, help="instances that were busy (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    if given.memory_mb < 1 or given.instances < 1:
        parser.error("--memory-mb and --instances must be 1 or more")
    try:
        text = sys.stdin.read() if given.result == "-" else Path(given.result).read_text("utf-8")
        result = RunResult.model_validate_json(text)
        prices = Prices.read(given.prices.read_text("utf-8"))
    except (OSError, PricesError) as exc:
        _give_up(str(exc))
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        _give_up(
            f"that is no result of a run that has ended ({where}: {first['msg']}); GET /api/runs/ID has it with 200"
        )
    used = resources(result, memory_gb=given.memory_mb / 1024, instances=given.instances)
    if given.json:
        priced = cost(used, prices)
        by_model = {model: usage.model_dump() for model, usage in used.tokens.items()}
        print(
            json.dumps(
                {
                    "currency": prices.currency,
                    "cost": {**asdict(priced), "total": priced.total},
                    "tokens": by_model,
                    "gb_seconds": used.gb_seconds,
                    "executions": used.executions,
                    "operations": used.operations,
                }
            )
        )
    else:
        print(report(result, used, prices))


def _give_up(message: str) -> NoReturn:
    print(f"run_cost: {message}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
