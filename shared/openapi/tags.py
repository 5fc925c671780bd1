"""The tags of the API: what its operations are about."""

from __future__ import annotations

from collections.abc import Mapping

RUNS = "Runs"
PATTERNS = "Patterns"
RECIPES = "Recipes"
ESTIMATES = "Estimates"
CALLBACKS = "Callbacks"
APP = "App"

TAGS: Mapping[str, str] = {
    PATTERNS: "Start agents in parallel: on parts of a task, as voters, or on documents.",
    RECIPES: "Ready requests with parameters: a recipe knows the agents, and its caller gives the material.",
    RUNS: "Look at runs, cancel them, and run again what did not succeed.",
    ESTIMATES: "What a run would take: checked as strictly as a start, and nothing is started.",
    CALLBACKS: "What the app sends to a `callback_url`.",
    APP: "The app itself, and the definitions of this API.",
}
