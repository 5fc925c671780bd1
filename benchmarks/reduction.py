"""Reduction: whether any call of a tree is above its budget of tokens, counted by the model, not estimated by the app.

1,000 documents, and a budget of 2,000 input tokens a call, the smallest that a request may state: their outputs take
three levels. What the model counted for a call stands in the usage of its outcome; text agents make one call each, so
nothing is added up. The offline model counts a token for four characters, which is the app's own estimate of English
text: a real tokenizer differs from it as `shared/token_estimate.py` says.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from figures import table, verdict
from measured_app import running_app

DOCUMENTS = 1_000
BUDGET_TOKENS = 2_000
LEVELS = 3
POLL_S = 0.2
EVENTS = (
    "the pool of connections was exhausted after release {n} opened one more connection for each order line",
    "the disk of replica {n} was full because nobody had rotated the logs since the audit in spring",
    "certificate {n} expired over night and every client that pins it refused to connect until noon",
    "the queue grew to {n} thousand messages since a worker took the same poisoned message again and again",
)


def request(documents: int, budget_tokens: int) -> dict[str, Any]:
    """A map-reduce request whose outputs do not fit into one call by far."""
    causes = [EVENTS[number % len(EVENTS)].format(n=number) for number in range(documents)]
    texts = [f"Incident {number}: {cause}. Nobody was hurt." for number, cause in enumerate(causes)]
    return {
        "documents": [{"id": f"incident-{number}", "content": text} for number, text in enumerate(texts)],
        "map": {"instructions": "State the cause of the incident."},
        "reduce": {
            "type": "tree",
            "agent": {"instructions": "Summarise the causes of all incidents."},
            "max_input_tokens": budget_tokens,
        },
    }


def main() -> int:
    """Print the calls of each level and the largest of them; 1 if one is above the budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--budget", type=int, default=BUDGET_TOKENS, help="max_input_tokens (%(default)s)")
    parser.add_argument("--levels", type=int, default=LEVELS, help="fewer are an error (%(default)s)")
    asked = parser.parse_args()
    with running_app() as app:
        measured = app.run("map-reduce", request(asked.documents, asked.budget), least_s=1.0, poll_s=POLL_S)
        served = app.stats()["calls"]
    result = measured.result
    calls = [*result["reductions"], result["aggregation"]]
    levels = result["output"]["calls_per_level"]
    print(f"{asked.documents} documents, {sum(levels)} calls on {len(levels)} levels, {measured.wall_s:.1f} s")
    first = 0
    rows: list[list[str]] = []
    for number, count in enumerate(levels, start=1):
        tokens = sorted(call["usage"]["input_tokens"] for call in calls[first : first + count])
        first += count
        rows.append([str(number), str(count), f"{tokens[0]:,}", f"{tokens[len(tokens) // 2]:,}", f"{tokens[-1]:,}"])
    print(table(["level", "calls", "least tokens", "median", "most"], rows))
    read = len(result["output"]["documents"])
    print(f"the answer rests on {read:,} documents; the model served {served:,} calls")
    if read != asked.documents or served != asked.documents + sum(levels) or len(levels) < asked.levels:
        print(f"Not all documents were read, or by less than {asked.levels} levels.", file=sys.stderr)
        return 1
    most = max(call["usage"]["input_tokens"] for call in calls)
    return verdict("The largest call's input ÷ its budget", most / asked.budget, 1.0)


if __name__ == "__main__":
    sys.exit(main())
