"""A run of a workflow definition: its actions in the order of their `runAfter`, each with a status and outputs.

It has the types of actions that the workflows of `connector/` use, as Microsoft's reference describes them, and
refuses all others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.logic_apps.callbacks import CallbackServer
from tests.logic_apps.expressions import EvaluationFailed, Scope, applied
from tests.logic_apps.sending import JSON, Outgoing, Reply, Wire, seconds_of

Status = Literal["Succeeded", "Failed", "TimedOut", "Cancelled", "Skipped"]
UNITS_S = {"Second": 1, "Minute": 60, "Hour": 3600}


@dataclass(frozen=True)
class Outcome:
    """What became of an action. A skipped one has the `cause` of it: the status of what it would have run after."""

    status: Status
    outputs: Any = None
    cause: Status | None = None


@dataclass(frozen=True)
class Connection:
    """A connection of the custom connector: whose operations it offers, where they are, and its key."""

    definition: JSON
    root: str
    key: str

    def url_of(self, inputs: JSON) -> str:
        """Where an action's request goes. The operation and its headers must be those of the definition."""
        method, path = inputs["method"].lower(), inputs["path"]
        [operation] = [
            item[method]
            for template, item in self.definition["paths"].items()
            if method in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        parameters = [part if "$ref" not in part else self._referred(part["$ref"]) for part in operation["parameters"]]
        offered = {part["name"].lower() for part in parameters if part["in"] == "header"}
        assert {header.lower() for header in inputs.get("headers", {})} <= offered, "the connector lets no others pass"
        return f"{self.root}{self.definition['basePath']}{path}"

    def _referred(self, reference: str) -> JSON:
        return self.definition["parameters"][reference.rpartition("/")[2]]


@dataclass
class World:
    """What is around a logic app: the wire, its callback URLs, and a mailbox whose owner answers with `choice`."""

    wire: Wire
    callbacks: CallbackServer
    choice: str = ""
    connections: dict[str, Connection] = field(default_factory=dict[str, Connection])
    mails: list[JSON] = field(default_factory=list[JSON])
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    unsubscribed: list[Reply] = field(default_factory=list[Reply])


class LogicApp:
    """One run of a definition; `answer` is what its caller gets, `outcomes` what became of its actions."""

    def __init__(self, world: World, definition: JSON, parameters: JSON, body: Any, name: str = "08584-run") -> None:
        self.world = world
        self.definition = definition
        self.name = name
        self.outcomes: dict[str, Outcome] = {}
        self.answer: JSON | None = None
        defaults = {key: given.get("defaultValue") for key, given in definition["parameters"].items()}
        self._parameters = {**defaults, **parameters}
        self._trigger = body
        self._does: Mapping[str, Callable[[str, JSON, Scope], Awaitable[Outcome]]] = {
            "Http": self._http,
            "HttpWebhook": self._webhook,
            "ApiConnection": self._connector,
            "ApiConnectionWebhook": self._mail,
            "Select": self._select,
            "Response": self._respond,
            "If": self._if,
            "Until": self._until,
            "Wait": self._wait,
        }

    async def run(self) -> Status:
        """Run all actions. Cancelling this task is cancelling the run."""
        return await self._all(self.definition["actions"])

    def scope(self, **readers: Callable[..., Any]) -> Scope:
        """Where expressions read of this run."""
        return Scope(
            {
                "parameters": lambda name: self._parameters[name],
                "triggerBody": lambda: self._trigger,
                "body": lambda name: (self._outputs(name) or {}).get("body"),
                "outputs": self._outputs,
                "workflow": lambda: {"name": "sample", "run": {"name": self.name}},
                **readers,
            }
        )

    def _outputs(self, name: str) -> Any:
        if name not in self.outcomes:
            raise EvaluationFailed(f"{name!r} has not run")
        return self.outcomes[name].outputs

    async def _all(self, actions: JSON) -> Status:
        ended = {name: asyncio.get_running_loop().create_future() for name in actions}

        async def one(name: str, action: JSON) -> None:
            after = {other: (await ended[other]) for other in action.get("runAfter", {})}
            barred = [found for other, found in after.items() if found.status not in action["runAfter"][other]]
            if barred:
                worst = worst_of(found.cause or found.status for found in barred)
                self.outcomes[name] = Outcome("Skipped", cause=worst)
                self._skip(action)
            else:
                self.outcomes[name] = await self._do(name, action)
            ended[name].set_result(self.outcomes[name])

        async with asyncio.TaskGroup() as group:
            for name, action in actions.items():
                group.create_task(one(name, action))
        followed = {other for action in actions.values() for other in action.get("runAfter", {})}
        last = [self.outcomes[name] for name in actions if name not in followed]
        return worst_of(outcome.cause or outcome.status for outcome in last)

    def _skip(self, action: JSON) -> None:
        """Actions within a skipped one are skipped, too."""
        for inner in (action.get("actions", {}), action.get("else", {}).get("actions", {})):
            for name, part in inner.items():
                self.outcomes[name] = Outcome("Skipped")
                self._skip(part)

    async def _do(self, name: str, action: JSON) -> Outcome:
        kind = action["type"]
        timeout = action.get("limit", {}).get("timeout")
        limit_s = None if timeout is None else seconds_of(timeout) * self.world.wire.pace
        try:
            async with asyncio.timeout(limit_s):
                return await self._does[kind](name, action, self.scope())
        except TimeoutError:
            return Outcome("TimedOut", {"code": "ActionTimedOut"})
        except EvaluationFailed as exc:
            return Outcome("Failed", {"code": "InvalidTemplate", "message": str(exc)})

    # --- Actions ---

    async def _http(self, name: str, action: JSON, scope: Scope) -> Outcome:
        request = self._outgoing(scope.value(action["inputs"]))
        alone = action.get("operationOptions") == "DisableAsyncPattern"
        return outcome_of(await (self.world.wire.sent(request) if alone else self.world.wire.followed(request)))

    async def _connector(self, name: str, action: JSON, scope: Scope) -> Outcome:
        inputs = scope.value(action["inputs"])
        assert action.get("operationOptions") == "DisableAsyncPattern", "polls would not go through the connection"
        connection = self.world.connections[inputs["host"]["connection"]["name"]]
        request = self._outgoing({**inputs, "method": inputs["method"].upper(), "uri": connection.url_of(inputs)})
        headers = {**request.headers, "x-functions-key": connection.key}
        return outcome_of(await self.world.wire.sent(replace(request, headers=headers)))

    async def _webhook(self, name: str, action: JSON, scope: Scope) -> Outcome:
        url, posted = self.world.callbacks.new(self.name, name)
        scope = self.scope(listCallbackUrl=lambda: url)
        inputs = scope.value(action["inputs"])
        subscribed = await self.world.wire.sent(self._outgoing(inputs["subscribe"]))
        if not subscribed.succeeded:
            return outcome_of(subscribed)
        async with self._unsubscribing(inputs.get("unsubscribe")):
            self.world.subscribed.set()
            return outcome_of(await posted)

    @asynccontextmanager
    async def _unsubscribing(self, inputs: JSON | None) -> Any:
        """However the wait ends: by the callback, by a time limit, or because the run is cancelled."""
        try:
            yield
        finally:
            if inputs is not None:
                reply = await asyncio.shield(self.world.wire.sent(self._outgoing(inputs)))
                self.world.unsubscribed.append(reply)

    async def _mail(self, name: str, action: JSON, scope: Scope) -> Outcome:
        url, posted = self.world.callbacks.new(self.name, name)
        inputs = self.scope(listCallbackUrl=lambda: url).value(action["inputs"])
        assert inputs["path"] == "/approvalmail/$subscriptions", "no other connector is known here"
        self.world.mails.append(inputs["body"]["Message"])
        answer = {"SelectedOption": self.world.choice, "UserEmailAddress": inputs["body"]["Message"]["To"]}
        told = await self.world.wire.sent(Outgoing("POST", inputs["body"]["NotificationUrl"], {}, answer))
        assert told.succeeded, "the callback URL was given to the connector as it is"
        return outcome_of(await posted)

    async def _select(self, name: str, action: JSON, scope: Scope) -> Outcome:
        inputs = action["inputs"]
        chosen = [
            self.scope(item=lambda item=item: item).value(inputs["select"]) for item in scope.value(inputs["from"])
        ]
        return Outcome("Succeeded", {"body": chosen})

    async def _respond(self, name: str, action: JSON, scope: Scope) -> Outcome:
        assert self.answer is None, "a run answers its caller once"
        self.answer = scope.value(action["inputs"])
        return Outcome("Succeeded", self.answer)

    async def _if(self, name: str, action: JSON, scope: Scope) -> Outcome:
        met = condition(scope, action["expression"])
        other = action.get("else", {}).get("actions", {})
        self._skip({"actions": other if met else action["actions"]})
        return Outcome(await self._all(action["actions"] if met else other), {"met": met})

    async def _until(self, name: str, action: JSON, scope: Scope) -> Outcome:
        for _ in range(action["limit"]["count"]):
            status = await self._all(action["actions"])
            if scope.value(action["expression"]):
                return Outcome(status)
        return Outcome("TimedOut")

    async def _wait(self, name: str, action: JSON, scope: Scope) -> Outcome:
        interval = action["inputs"]["interval"]
        await self.world.wire.pause(interval["count"] * UNITS_S[interval["unit"]])
        return Outcome("Succeeded")

    def _outgoing(self, inputs: JSON) -> Outgoing:
        """A request, with the headers by which Logic Apps tells where it comes from."""
        told = {"x-ms-workflow-name": "sample", "x-ms-workflow-run-id": self.name}
        return Outgoing.of({**inputs, "headers": {**inputs.get("headers", {}), **told}})


def condition(scope: Scope, rule: Any) -> bool:
    """The condition of an If: a function with its arguments, `and`, `or` and `not` of such, or an expression."""
    if isinstance(rule, str):
        return scope.value(rule) is True
    [(name, given)] = rule.items()
    if name in {"and", "or"}:
        return (all if name == "and" else any)([condition(scope, part) for part in given])
    if name == "not":
        return not condition(scope, given)
    return applied(name, scope.value(given)) is True


def outcome_of(reply: Reply) -> Outcome:
    """What an action comes to with this answer."""
    return Outcome("Succeeded" if reply.succeeded else "Failed", reply.outputs)


def worst_of(statuses: Iterable[Status]) -> Status:
    """The status of actions together; where all were skipped, there was nothing to fail."""
    order: tuple[Status, ...] = ("Cancelled", "Failed", "TimedOut", "Succeeded")
    found = list(statuses)
    return next((status for status in order if status in found), "Succeeded")
