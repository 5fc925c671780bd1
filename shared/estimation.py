"""How many calls and tokens a request would take."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from shared.batching import batch_agent
from shared.branching import Request, branches_of, possible_aggregators_of, readers_of, votes_in
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Branch
from shared.contracts.estimate import CallEstimate, RunEstimate, TokenEstimate
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.policy import RunPolicy
from shared.contracts.run import Pattern
from shared.rehearsal import expected_levels
from shared.scheduling.batch import BranchJob, in_batches
from shared.token_estimate import estimated_input_tokens, estimated_output_tokens
from shared.voting.judging import judges_of
from shared.voting.polling import Polling


def estimate(pattern: Pattern, request: Request) -> RunEstimate:
    """What a run of `request` would take."""
    policy = request.policy.effective()
    branches = branches_of(request)
    jobs = in_batches(branches, request.batch_size if isinstance(request, MapReduceRequest) else 1)
    outputs = [estimated_output_tokens(branch.agent) for branch in branches]
    inputs = [job.estimated_input_tokens() for job in jobs]
    agents = [agent for job in jobs for agent in agents_of(job)]
    readers = readers_of(request)
    aggregators = [reader for reader, _ in readers]
    answers = [(branch.name, output) for branch, output in zip(branches, outputs, strict=True)]
    inputs += [
        estimated_input_tokens(reader, "") + sum(output for name, output in answers if name.startswith(prefix))
        for reader, prefix in readers
    ]
    reductions = reductions_of(request, branches)
    inputs += [estimated_input_tokens(call.agent, call.prompt) for call in reductions]
    aggregators += [call.agent for call in reductions]
    outputs += [estimated_output_tokens(aggregator) for aggregator in aggregators]
    total = sum(inputs) + sum(outputs)
    calls = CallEstimate(
        at_least=within_budget(least_calls(request, len(jobs), len(aggregators)), total, policy),
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


def reductions_of(request: Request, branches: Sequence[Branch]) -> list[Branch]:
    """The calls that reduce the branches' answers, if all answers are of the usual length."""
    levels = expected_levels(request, branches) if isinstance(request, MapReduceRequest) else []
    return [call for level in levels for call in level]


def agents_of(job: BranchJob) -> list[AgentSpec]:
    """The agent of each call that may be needed: after a batch's, one for each of its branches alone."""
    if isinstance(job, Branch):
        return [job.agent]
    agent = job.branches[0].agent
    return [batch_agent(agent, job.weight), *[agent] * job.weight]


def least_calls(request: Request, mapped: int, aggregators: int) -> int:
    """The calls of a run that goes as well as it can: votes are settled at once, one call reads all short answers."""
    votes = votes_in(request).values()
    others = aggregators - sum(len(judges_of(vote)) for vote in votes)
    left_out = sum(vote.plan.most - len(Polling(vote).next_wave([])) for vote in votes)
    if isinstance(request, MapReduceRequest):
        return calls_wanted(mapped, request.policy, request.batch_size) + min(others, 1)
    return calls_wanted(mapped - left_out, request.policy) + others


def calls_wanted(calls: int, policy: RunPolicy, batch_size: int = 1) -> int:
    """Of so many `calls` for branches, those whose answers are enough for a run that stops early."""
    if not policy.stop_early or policy.min_successful is None:
        return calls
    return min(calls, ceil(policy.min_successful / batch_size))


def within_budget(calls: int, tokens: int, policy: RunPolicy) -> int:
    """Of so many `calls`, those that are certain: a budget that the expected `tokens` exceed lets a first one start."""
    is_exceeded = policy.max_total_tokens is not None and tokens > policy.max_total_tokens
    return min(calls, 1) if is_exceeded else calls


def most_calls(agents: Sequence[AgentSpec], aggregators: Sequence[AgentSpec], policy: RunPolicy) -> int:
    """The calls of a run in which everything is retried, repaired and hedged as often as it may be."""
    hedges = ceil(len(agents) * policy.max_hedge_percentage / 100) if policy.hedges else 0
    calls = policy.attempts * sum(map(calls_per_attempt, agents)) + hedges * max(map(calls_per_attempt, agents))
    aggregation_hedges = 1 if policy.hedge_after_s is not None else 0
    return calls + sum((policy.attempts + aggregation_hedges) * calls_per_attempt(each) for each in aggregators)


def calls_per_attempt(agent: AgentSpec) -> int:
    """An answer that must fit a schema may be repaired once."""
    return 1 if agent.output_schema is None else 2
