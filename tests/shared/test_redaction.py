from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.redaction import redacted


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Incorrect API key provided: sk-proj-abcDEF_123456.", "Incorrect API key provided: [key]."),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [key]"),
        ("token eyJhbGciOiJI.eyJzdWIiOi.SflKx-_w is expired", "token [key] is expired"),
        ("https://a.blob/c/b?sv=2024&sig=abc%2Bd%3D&se=1", "https://a.blob/c/b?sv=2024&sig=[key]&se=1"),
        ("AccountName=a;AccountKey=c2VjcmV0==;Endpoint=x", "AccountName=a;AccountKey=[key];Endpoint=x"),
        ('{"api_key": "abc123", "n": 1}', '{"api_key": "[key]", "n": 1}'),
        ("https://app/api/runs?code=abc==", "https://app/api/runs?code=[key]"),
        ("Cannot connect to https://me:secret@host:443/v1", "Cannot connect to https://[key]@host:443/v1"),
    ],
)
def test_what_looks_like_a_credential_is_left_out(said: str, told: str) -> None:
    assert redacted(said) == told


@pytest.mark.parametrize(
    "said",
    [
        "no answer within 3.0 s",
        "the model answered 400: Invalid value: 'x' of temperature",
        "Blob Storage refused the blob 'a@b/sig.txt' in 'in': 404 BlobNotFound",
        "Cannot connect to https://host:443/v1",
        "the basic rules",
    ],
)
def test_other_words_stay(said: str) -> None:
    assert redacted(said) == said


@given(st.text(max_size=200))
def test_nothing_is_left_to_be_left_out(text: str) -> None:
    once = redacted(text)

    assert redacted(once) == once


@pytest.mark.parametrize("piece", ["a:/", "x://", "sk-", "eyJ", "bearer ", "code=", "a", "://a", "api_key: "])
def test_redaction_costs_time_in_proportion_to_the_text(piece: str) -> None:
    def cost_s(size: int) -> float:
        text = (piece * size)[:size]
        times: list[float] = []
        for _ in range(3):
            started = time.thread_time()
            redacted(text)
            times.append(time.thread_time() - started)
        return min(times)

    # Ten times the text: about ten times the time, where a quadratic search takes a hundred.
    assert cost_s(20_000) < 50 * max(cost_s(2_000), 1e-4)
