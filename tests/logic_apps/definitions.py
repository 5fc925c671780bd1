"""What Logic Apps checks when a workflow is saved, and what our workflows owe to those who deploy them.

`complaints` reads a definition without running it. The first group of rules is Microsoft's: known types and functions,
declared parameters, `runAfter` without circles, and no expression that reads an action which need not have run before.
The second is ours: keys are secure parameters that stand in one header only, and stay out of the run history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.logic_apps.expressions import FUNCTIONS
from tests.logic_apps.sending import JSON, seconds_of
from tests.logic_apps.syntax import Literal, calls_in

SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"
SECTIONS = {"$schema", "contentVersion", "parameters", "triggers", "actions", "outputs"}
PARAMETER_TYPES = {"String", "SecureString", "Int", "Float", "Bool", "Array", "Object", "SecureObject"}
ACTION_TYPES = {
    "Http",
    "HttpWebhook",
    "ApiConnection",
    "ApiConnectionWebhook",
    "Select",
    "Response",
    "If",
    "Until",
    "Wait",
}
STATUSES = {"Succeeded", "Failed", "TimedOut", "Skipped"}
READERS = {"body", "outputs", "actions"}
CONTEXT = {"parameters", "triggerBody", "workflow"}
BELONGS_TO = {"listCallbackUrl": {"HttpWebhook", "ApiConnectionWebhook"}, "item": {"Select"}}
"""Functions that only some types of actions have."""
SECURE = {"secureData": {"properties": ["inputs"]}}
KEY_HEADER = "x-functions-key"
LEAST_INTERVAL_S, MOST_INTERVAL_S, MOST_RETRIES = 5, 24 * 3600, 90


def complaints(definition: JSON) -> list[str]:
    """What is wrong with a definition, in words."""
    return [*_of_the_frame(definition), *_of_actions(definition, definition["actions"], set())]


def every_action(actions: JSON) -> Iterator[tuple[str, JSON]]:
    """All actions by name, those within others included."""
    for name, action in actions.items():
        yield name, action
        for inner in inner_actions(action):
            yield from every_action(inner)


def inner_actions(action: JSON) -> list[JSON]:
    """The groups of actions within one."""
    return [action.get("actions", {}), action.get("else", {}).get("actions", {})]


def _of_the_frame(definition: JSON) -> Iterator[str]:
    if definition.get("$schema") != SCHEMA or set(definition) != SECTIONS:
        yield "the definition does not have the sections of its schema"
    names = [name for name, _ in every_action(definition["actions"])]
    for twice in {name for name in names if names.count(name) > 1}:
        yield f"two actions have the name {twice!r}"
    for name, parameter in definition["parameters"].items():
        if parameter["type"] not in PARAMETER_TYPES:
            yield f"parameter {name!r} has no type of the language"
        if parameter["type"].startswith("Secure") and "defaultValue" in parameter:
            yield f"secure parameter {name!r} has a default"
        if not parameter.get("metadata", {}).get("description"):
            yield f"parameter {name!r} is not described"
    if not all(trigger.get("description") for trigger in definition["triggers"].values()):
        yield "the trigger does not say what the workflow does"


def _of_actions(definition: JSON, actions: JSON, before: set[str]) -> Iterator[str]:
    """Complaints about a group of actions; `before` have run when it begins."""
    for name, action in actions.items():
        if action["type"] not in ACTION_TYPES:
            yield f"{name}: the simulator does not know the type {action['type']!r}"
        for other, statuses in action.get("runAfter", {}).items():
            if other not in actions or not set(statuses) <= STATUSES:
                yield f"{name}: runs after {other!r}, which is not beside it or has no such status"
        ahead = _ahead(name, actions)
        if name in ahead:
            yield f"{name}: runs after itself"
            continue
        known = before | {inner for other in ahead for inner, _ in every_action({other: actions[other]})}
        within = {inner for group in inner_actions(action) for inner, _ in every_action(group)}
        yield from _of_calls(definition, name, action, known, within)
        yield from _of_requests(name, action)
        for group in inner_actions(action):
            yield from _of_actions(definition, group, known)


def _ahead(name: str, actions: JSON) -> set[str]:
    """The actions beside it that have ended when an action begins."""
    found: set[str] = set()
    waiting = list(actions[name].get("runAfter", {}))
    while waiting:
        other = waiting.pop()
        if other in actions and other not in found:
            found.add(other)
            waiting += actions[other].get("runAfter", {})
    return found


def _of_calls(definition: JSON, name: str, action: JSON, known: set[str], within: set[str]) -> Iterator[str]:
    own: Mapping[str, Any] = {key: part for key, part in action.items() if key not in {"actions", "else"}}
    for call in calls_in(dict(own)):
        first = call.arguments[0] if call.arguments else None
        value = first.value if isinstance(first, Literal) else None
        if call.function in READERS:
            if value not in known and not (action["type"] == "Until" and value in within):
                yield f"{name}: reads {value!r}, which need not have run before it"
        elif call.function == "parameters":
            if value not in definition["parameters"]:
                yield f"{name}: there is no parameter {value!r}"
        elif call.function in BELONGS_TO:
            if action["type"] not in BELONGS_TO[call.function]:
                yield f"{name}: {call.function} has no meaning in its type"
        elif call.function not in FUNCTIONS and call.function not in CONTEXT:
            yield f"{name}: the simulator does not know the function {call.function!r}"


def _of_requests(name: str, action: JSON) -> Iterator[str]:
    inputs = action.get("inputs", {})
    for request in [inputs, inputs.get("subscribe", {}), inputs.get("unsubscribe", {})]:
        if not isinstance(request, dict) or "uri" not in request:
            continue
        secret = [key for key, part in request.get("headers", {}).items() if "chorus_key" in str(part)]
        if secret != [KEY_HEADER] or str(request).count("chorus_key") != 1:
            yield f"{name}: the key belongs into the header {KEY_HEADER} and nowhere else"
        if action.get("runtimeConfiguration") != SECURE:
            yield f"{name}: its inputs, and with them the key, show in the run history"
        if request["method"] == "POST" and "Idempotency-Key" not in request["headers"]:
            yield f"{name}: a start that is sent again would start another run"
        policy = request.get("retryPolicy")
        if policy and not (
            policy["count"] <= MOST_RETRIES
            and LEAST_INTERVAL_S <= seconds_of(policy["interval"]) <= MOST_INTERVAL_S
            and seconds_of(policy["minimumInterval"]) <= seconds_of(policy["maximumInterval"]) <= MOST_INTERVAL_S
        ):
            yield f"{name}: its retry policy is out of bounds"
