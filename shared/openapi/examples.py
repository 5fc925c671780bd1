"""Requests to begin with, by the operations' ids: small, and accepted as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SECTIONING: Mapping[str, Mapping[str, Any]] = {
    "Three views of one decision": {
        "input": "We want to close the small store in Lyon and serve its customers from the web shop.",
        "sections": [
            {"name": "customers", "instructions": "What changes for customers? Two sentences."},
            {"name": "staff", "instructions": "What changes for the staff? Two sentences."},
            {"name": "costs", "instructions": "What does it save, what does it cost? Two sentences."},
        ],
    },
    "A section decided by a vote": {
        "input": "Best mower ever!!! Visit my page for a 90 % discount.",
        "sections": [
            {"name": "tone", "instructions": "What tone does the message strike? One sentence."},
            {
                "name": "verdict",
                "vote": {
                    "question": "Is this message spam?",
                    "voters": 3,
                    "ballot": {"type": "choice", "options": ["spam", "not spam"]},
                },
            },
        ],
        "aggregation": "concatenate",
    },
}

VOTING: Mapping[str, Mapping[str, Any]] = {
    "A choice of three voters": {
        "question": "Is this review spam?",
        "context": "Best mower ever!!! Visit my page for a 90 % discount.",
        "voters": 3,
        "ballot": {"type": "choice", "options": ["spam", "not spam"]},
    },
    "Waves until enough is known": {
        "question": "Which of these subject lines is least likely to be taken for spam?",
        "voters": {"min": 3, "max": 20, "wave": 5, "perspectives": "content_appropriateness"},
        "ballot": {"type": "choice", "options": ["Your order has shipped", "LAST CHANCE: 90 % off!!!"]},
        "rule": "majority",
        "stop": {"type": "confident", "level": 0.95},
    },
}

MAP_REDUCE: Mapping[str, Mapping[str, Any]] = {
    "Two messages, one report": {
        "documents": [
            {"id": "monday", "content": "Delivery was two days late and the box was wet."},
            {"id": "tuesday", "content": "Quick delivery, friendly driver."},
        ],
        "map": {"name": "reader", "instructions": "What does this customer praise, what do they complain about?"},
        "reduce": {"name": "editor", "instructions": "Sum up what customers praise and complain about."},
    },
    "Records of each message, as a table": {
        "documents": [
            {"id": "monday", "content": "Delivery was two days late and the box was wet."},
            {"id": "tuesday", "content": "Quick delivery, friendly driver."},
        ],
        "map": {
            "name": "reader",
            "instructions": "Judge this customer's message.",
            "output_schema": {
                "type": "object",
                "properties": {"mood": {"enum": ["good", "bad"]}, "reason": {"type": "string"}},
                "required": ["mood", "reason"],
                "additionalProperties": False,
            },
        },
        "reduce": {"type": "table", "format": "csv"},
    },
}

RECIPE: Mapping[str, Mapping[str, Any]] = {
    "Research on one question": {
        "topic": "Should a mid-sized web shop move its nightly batch jobs to serverless functions?",
        "depth": "short",
    },
}

REDRIVE: Mapping[str, Mapping[str, Any]] = {
    "With more patience": {"policy": {"branch_timeout_s": 300, "attempts": 5}},
}
