from __future__ import annotations

import pytest

from shared.contracts.policy import RunPolicy
from shared.errors import SettingsError
from shared.scheduling.deliveries import DELIVERY_WINDOW_S
from shared.settings import LEAST_RETENTION_DAYS, load_retention_days


@pytest.mark.parametrize(("value", "days"), [("", None), ("  ", None), ("3", 3), (" 30 ", 30), ("3650", 3650)])
def test_a_number_of_days_or_none(value: str, days: int | None) -> None:
    assert load_retention_days({"CHORUS_RETENTION_DAYS": value}) == days


def test_without_the_setting_runs_are_kept() -> None:
    assert load_retention_days({}) is None


@pytest.mark.parametrize("value", ["0", "2", "-3", "3.5", "3651", "a week", "٣٠", "30d"])
def test_what_is_no_number_of_days_within_bounds_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match="CHORUS_RETENTION_DAYS is not a whole number from 3 to 3650"):
        load_retention_days({"CHORUS_RETENTION_DAYS": value})


def test_nothing_is_purged_whose_callback_may_be_on_its_way() -> None:
    bounds = [bound.le for bound in RunPolicy.model_fields["deadline_s"].metadata if hasattr(bound, "le")]
    assert bounds
    assert bounds[0] + DELIVERY_WINDOW_S < LEAST_RETENTION_DAYS * 86_400
