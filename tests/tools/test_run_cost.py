"""What a run costs: every token once, all else from above."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.names import SECTIONING
from shared.contracts.branch import BranchOutcome, Usage
from shared.contracts.run import Counts, RunResult
from tests.orchestrators.durable import Durable
from tests.orchestrators.given import sections_request
from tests.orchestrators.stored_runs import StoredRuns
from tests.replay.history import FOLDER, History
from tests.replay.scenario import STORED_SCENARIOS
from tests.replay.scenarios import stored as stored_scenarios
from tools.run_cost import EXAMPLE_PRICES, Prices, PricesError, cost, main, resources, tokens_by_model

PRICES = Prices.read(EXAMPLE_PRICES.read_text("utf-8"))
START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def usage(calls: int, inputs: int, outputs: int, others: int = 0) -> Usage:
    return Usage(model_calls=calls, input_tokens=inputs, output_tokens=outputs, total_tokens=inputs + outputs + others)


def outcome(name: str, used: Usage, model: str | None = "gpt-5-mini") -> BranchOutcome:
    return BranchOutcome(name=name, status="succeeded", usage=used, model=model, started_at=START, ended_at=START)


def result(seconds: float = 60.0, **fields: Any) -> RunResult:
    ended_at = START + timedelta(seconds=seconds)
    fields = {"status": "succeeded", "completion_reason": "all_completed", "pattern": "sectioning"} | fields
    return RunResult(id="r" * 32, started_at=START, ended_at=ended_at, **fields)


def of(run: RunResult, **machine: Any) -> Any:
    return resources(run, **({"memory_gb": 2.0, "instances": 1} | machine))


def test_tokens_cost_what_their_model_does() -> None:
    run = result(
        outcomes=[outcome("a", usage(1, 1_000_000, 500_000)), outcome("b", usage(1, 2_000_000, 0), model="other")],
        aggregation=outcome("~synthesis", usage(1, 0, 1_000_000)),
        usage=usage(3, 3_000_000, 1_500_000),
    )
    # gpt-5-mini: 1 M in at 0.50 and 1.5 M out at 2.00; the other by default: 2 M in at 1.00
    assert cost(of(run), PRICES).models == pytest.approx(0.5 + 3.0 + 2.0)


def test_reasoning_that_only_the_total_has_is_paid_for_as_output() -> None:
    run = result(outcomes=[outcome("a", usage(1, 0, 0, others=1_000_000))], usage=usage(1, 0, 0, others=1_000_000))
    assert cost(of(run), PRICES).models == pytest.approx(2.0)


def test_what_a_redrive_took_over_was_paid_for_before() -> None:
    run = result(
        outcomes=[outcome("a", usage(1, 900, 90)), outcome("b", usage(1, 10, 1))], reused=["a"], usage=usage(1, 10, 1)
    )
    assert tokens_by_model(run) == {"gpt-5-mini": usage(1, 10, 1)}


def test_a_run_in_storage_has_all_its_tokens_under_the_default_model() -> None:
    run = result(
        pattern="map_reduce", usage=usage(5, 100, 10), counts=Counts(documents=5, works=5, pages=1, succeeded=5)
    )
    assert tokens_by_model(run) == {"default": usage(5, 100, 10)}


counts = st.integers(0, 10**6)
usages = st.builds(usage, st.integers(0, 99), counts, counts, counts)


@given(st.lists(st.tuples(st.sampled_from(["gpt-5-mini", "x", None]), usages), max_size=5), usages)
def test_every_token_of_the_result_is_counted_once(parts: list[tuple[str | None, Usage]], elsewhere: Usage) -> None:
    outcomes = [outcome(f"b{number}", used, model) for number, (model, used) in enumerate(parts)]
    whole = sum((used for _, used in parts), elsewhere)
    assert sum(tokens_by_model(result(outcomes=outcomes, usage=whole)).values(), Usage()) == whole


@pytest.mark.parametrize(
    ("seconds", "memory_gb", "instances", "gb_seconds"),
    [(60.0, 2.0, 1, 120.0), (60.0, 4.0, 3, 720.0), (0.1, 2.0, 1, 2.0)],
)
def test_instances_are_paid_for_by_the_second_and_their_memory(
    seconds: float, memory_gb: float, instances: int, gb_seconds: float
) -> None:
    used = of(result(seconds), memory_gb=memory_gb, instances=instances)
    assert used.gb_seconds == pytest.approx(gb_seconds)
    assert cost(used, PRICES).compute == pytest.approx(gb_seconds * 0.00004)


def executions_of(engine: Any) -> int:
    """How often functions were called by the orchestrations that an engine has: each turn, and each activity."""
    events = [event for instance in engine._instances.values() for event in instance.history]
    return sum(event.HasField("orchestratorStarted") or event.HasField("taskScheduled") for event in events)


@pytest.mark.parametrize("sections", [1, 20])
def test_a_run_on_the_engine_takes_no_more_executions_than_are_paid_for(sections: int) -> None:
    with Durable() as durable:
        run = durable.run(SECTIONING, sections_request(*(f"s{number}" for number in range(sections))))
        with durable._locked():
            taken = executions_of(durable.engine)
    assert sections < taken <= of(RunResult.model_validate_json(json.dumps(run))).executions


@pytest.mark.parametrize("name", ["stored_of_two_shards", "stored_by_a_tree"])
def test_a_run_in_storage_takes_no_more_executions_than_are_paid_for(name: str) -> None:
    with StoredRuns() as stored, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_scenarios, "saved", lambda _: None)
        stored.run_id = name
        STORED_SCENARIOS[name](stored)
        run = RunResult.model_validate_json(json.dumps(stored.result()))
        with stored._locked():
            taken = executions_of(stored.engine)
    assert run.usage.model_calls < taken <= of(run).executions


@pytest.mark.parametrize(
    "name", ["voting_in_waves", "sectioning_throttled", "map_reduce_by_a_tree", "stored_by_a_tree"]
)
def test_a_recorded_result_is_priced(name: str) -> None:
    run = RunResult.model_validate_json(json.dumps(History.load(FOLDER / f"{name}.json").result()))
    used = of(run)
    assert used.operations > used.executions > run.usage.model_calls
    assert cost(used, PRICES).total > 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    run = result(outcomes=[outcome("a", usage(1, 1_000, 100))], usage=usage(1, 1_000, 100))
    path.write_text(run.model_dump_json())
    return path


def test_the_command_prints_lines_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(file), "--prices", str(EXAMPLE_PRICES)])
    lines = capsys.readouterr().out.splitlines()
    assert "60.0 s" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["model", "compute", "executions", "storage", "total"]
    assert all(line.endswith(" EUR") for line in lines[1:])


def test_the_command_reads_the_standard_input_and_prints_json(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text()))
    main(["-", "--prices", str(EXAMPLE_PRICES), "--json", "--instances", "2"])
    told = json.loads(capsys.readouterr().out)
    assert told["gb_seconds"] == pytest.approx(240.0)
    assert told["cost"]["total"] == pytest.approx(
        sum(told["cost"][part] for part in ("models", "compute", "executions", "storage"))
    )


@pytest.mark.parametrize("text", ["{}", '{"id": "x", "status": "running"}', "no JSON"])
def test_what_is_no_result_is_told(text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        main([str(file), "--prices", str(EXAMPLE_PRICES)])
    assert "no result of a run that has ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('currency = "EUR"', "", "currency"),
        ("gb_second = 0.00004", "", "gb_second"),
        ("gb_second = 0.00004", "gb_second = -1", "gb_second"),
        ("gb_second = 0.00004", "gb_second = nan", "gb_second"),
        ("million_operations = 0.10", 'million_operations = "cheap"', "million_operations"),
        ("million_operations = 0.10", "million_operation = 0.10", "million_operation"),
        ("[models.default]", "[models.other]", "models.default"),
        ("million_input_tokens = 1.00", "", "million_input_tokens"),
        ("[compute]", "[compute", "TOML"),
    ],
)
def test_prices_that_cannot_be_used_are_named(old: str, new: str, named: str) -> None:
    text = EXAMPLE_PRICES.read_text("utf-8")
    assert old in text
    with pytest.raises(PricesError, match=named):
        Prices.read(text.replace(old, new, 1))


def test_the_example_says_that_it_is_one() -> None:
    assert "NOT A PRICE LIST" in EXAMPLE_PRICES.read_text("utf-8")
