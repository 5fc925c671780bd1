"""How many calls and tokens a request would take."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from shared.branching import Request, aggregators_of, branches_of, possible_aggregators_of
from shared.contracts.agent import AgentSpec
from shared.contracts.estimate import CallEstimate, RunEstimate, TokenEstimate
from shared.contracts.policy import RunPolicy
from shared.contracts.run import Pattern
from shared.contracts.voting import VotingRequest
from shared.token_estimate import estimated_input_tokens, estimated_output_tokens
from shared.voting.polling import Polling


def estimate(pattern: Pattern, request: Request) -> RunEstimate:
    """What a run of `request` would take."""
    policy = request.policy.effective()
    branches = branches_of(request)
    outputs = [estimated_output_tokens(branch.agent) for branch in branches]
    inputs = [estimated_input_tokens(branch.agent, branch.prompt) for branch in branches]
    agents = [branch.agent for branch in branches]
    aggregators = aggregators_of(request)
    answers = sum(outputs)
    for aggregator in aggregators:
        inputs.append(estimated_input_tokens(aggregator, "") + answers)
        outputs.append(estimated_output_tokens(aggregator))
    total = sum(inputs) + sum(outputs)
    calls = CallEstimate(
        at_least=len(Polling(request).next_wave([])) if isinstance(request, VotingRequest) else len(inputs),
        expected=len(inputs),
        at_most=most_calls(agents, [*aggregators, *possible_aggregators_of(request)], policy),
    )
    return RunEstimate(
        pattern=pattern,
        branches=len(branches),
        model_calls=calls,
        tokens=TokenEstimate(input_tokens=sum(inputs), output_tokens=sum(outputs), total_tokens=total),
        within_budget=None if policy.max_total_tokens is None else total <= policy.max_total_tokens,
        policy=policy,
    )


def most_calls(agents: Sequence[AgentSpec], aggregators: Sequence[AgentSpec], policy: RunPolicy) -> int:
    """The calls of a run in which everything is retried, repaired and hedged as often as it may be."""
    hedges = ceil(len(agents) * policy.max_hedge_percentage / 100) if policy.hedges else 0
    calls = policy.attempts * sum(map(calls_per_attempt, agents)) + hedges * max(map(calls_per_attempt, agents))
    aggregation_hedges = 1 if policy.hedge_after_s is not None else 0
    return calls + sum((policy.attempts + aggregation_hedges) * calls_per_attempt(each) for each in aggregators)


def calls_per_attempt(agent: AgentSpec) -> int:
    """An answer that must fit a schema may be repaired once."""
    return 1 if agent.output_schema is None else 2
