"""What is said of a credential, and when: a function of what was found and of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.automation.credentials import credential_announcement, expiry_announcement, expiry_step
from integration_assets.reporting.alerts import Alerts, compare, record_transition
from integration_assets.tenants.outcomes import BROKEN, LookedAt, Outcome

DAY = datetime(2026, 3, 1, 6, tzinfo=UTC)


def looked(outcome: Outcome | None = Outcome.OK, *, problem: str | None = None, days: float | None = None) -> LookedAt:
    expires_at = None if days is None else DAY + timedelta(days=days)
    return LookedAt(system="canny", name="Canny (any)", outcome=outcome, problem=problem, expires_at=expires_at)


@pytest.mark.parametrize(
    ("days", "step"),
    [
        (None, None),
        (31, None),
        (30, 30),
        (20, 30),
        (14, 14),
        (13.9, 14),
        (7, 7),
        (2, 7),
        (1, 1),
        (0.1, 1),
        (0, 0),
        (-3, 0),
    ],
)
def test_the_steps_of_an_expiry(days, step):
    """Thirty, fourteen, seven, one, over."""
    assert expiry_step(looked(days=days).expires_at, DAY) == step


@given(st.integers(0, 29))
def test_a_daily_look_tells_each_step_once(hour):
    """Whatever the hour of the looks: four warnings and the end, at least fourteen days ahead, and one recovery."""
    one, alerts, told = looked(days=40), Alerts(), []
    for day in range(45):
        now = DAY + timedelta(days=day, hours=hour)
        if day == 44:
            one = looked(days=400)
        announcement = expiry_announcement(one, now)
        transition = compare(alerts.open.get(announcement.subject), announcement.problem, announcement.happened, now)
        record_transition(alerts, announcement.subject, transition)
        if transition.change in ("new", "recovered"):
            told.append((day, announcement.problem))
    left = [int(problem.split()[1]) for _, problem in told if problem]
    assert left == [30, 14, 7, 1, 0]
    assert told[1][0] <= 40 - 12
    assert told[-1] == (44, None)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outage_says_nothing_of_a_credential(outcome):
    """Refused or missing is a problem, working is none, and no answer is neither."""
    announcement = credential_announcement(looked(outcome))
    if outcome in BROKEN:
        assert announcement is not None
        assert (announcement.problem, "Canny (any) does not work" in announcement.happened) == (
            "credential canny",
            True,
        )
    elif outcome is Outcome.OK:
        assert announcement is not None
        assert announcement.problem is None
    else:
        assert announcement is None


def test_what_cannot_be_tried_is_a_problem_too():
    """A sealed secret that does not open, an address that may not be asked."""
    announcement = credential_announcement(looked(None, problem="its sealed secret does not open"))
    assert announcement is not None
    assert announcement.problem == "credential canny"
    assert "does not open" in announcement.happened
