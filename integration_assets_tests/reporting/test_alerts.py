"""What is told once, what is told again, and what becomes of a message that Slack did not take."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.errors import EndState, PermanentError, TransientError
from integration_assets.reporting.alert_places import FileAlerts, alerts_path, read_alerts
from integration_assets.reporting.alerts import (
    Alert,
    Alerts,
    Notice,
    compare,
    drop_notices,
    never_told,
    post_notices,
    put_notice,
    record_transition,
    run_problem,
)
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.lists(st.sampled_from([None, "a", "b"]), max_size=40))
def test_each_change_is_told_once_and_nothing_else(problems):
    """Whatever happens in whatever order: news at each change, and silence in between."""
    alerts, told = Alerts(), []
    for number, problem in enumerate(problems):
        standing = compare(alerts.open.get("runs"), problem, "said", NOON + timedelta(hours=number))
        record_transition(alerts, "runs", standing)
        if standing.change in ("new", "recovered"):
            told.append(problem)
    changes = [now for before, now in zip([None, *problems], problems, strict=False) if before != now]
    assert told == changes
    assert (alerts.open.get("runs") is not None) == (bool(problems) and problems[-1] is not None)


def test_how_long_and_how_often_is_counted():
    """The recovery can say since when it was wrong, and how many runs it cost."""
    first = compare(None, "a", "no answer", NOON).alert
    again = compare(first, "a", "no answer at another place", NOON + timedelta(hours=4)).alert
    over = compare(again, None, "", NOON + timedelta(hours=8))
    assert over.before == Alert(problem="a", said="no answer", since=NOON, times=2)
    assert (over.change, over.alert) == ("recovered", None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("the plan creates 60 of 100 records", "the plan creates 61 of 2,000 records", True),
        ("plan 3f2a9c81bd04 is held: no_retire", "plan aa2a9c81bd99 is held: no_retire", True),
        ("the gate is closed: votes_without_voter: 3 of 90", "the gate is closed: duplicate_requests: 3 of 90", False),
    ],
)
def test_other_numbers_are_no_other_problem(one, other, same):
    """A held plan that grows by a record is still the one people know; another check is another problem."""
    seen = [run_problem(EndState.HELD, line, None) for line in (one, other)]
    assert (seen[0] == seen[1]) is same


def test_an_outage_is_one_problem_wherever_it_shows():
    """Of what is tried again anyway, only the system that is away counts."""
    at_votes = TransientError("canny, POST /v2/votes/list: answered 503", system="canny")
    at_users = TransientError("canny, POST /v2/users/list: no answer within 120 s", system="canny")
    seen = {run_problem(EndState.RETRY_LATER, one.message, one) for one in (at_votes, at_users)}
    assert seen == {"RETRY_LATER canny"}
    assert run_problem(EndState.SUCCEEDED_WITH_REJECTS, None, None) is None


# ---------------------------------------------------------------------------------------------------------- the file


def test_nothing_is_kept_of_a_file_nobody_can_read(tmp_path: Path):
    """A file that is not ours means that nothing has been told: to tell it again is the lesser evil."""
    path = alerts_path(tmp_path, "sandbox", "default")
    assert read_alerts(path) == Alerts()
    with FileAlerts(path).held() as held:
        alerts = held.alerts
        alerts.open["runs"] = Alert(problem="a", said="s", since=NOON)
    assert read_alerts(path).open["runs"].problem == "a"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b'{"open": 7}')
    assert read_alerts(path) == Alerts()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    """With what to do about it."""
    (tmp_path / "alerts").write_text("a file where a folder should be")
    with (
        pytest.raises(PermanentError, match=r"default\.json cannot be read or written"),
        FileAlerts(alerts_path(tmp_path, "sandbox", "default")).held(),
    ):
        pass


def _count(path: Path) -> None:
    for _ in range(20):
        with FileAlerts(path).held() as held:
            alerts = held.alerts
            times = alerts.open["runs"].times if "runs" in alerts.open else 0
            alerts.open["runs"] = Alert(problem="a", said="s", since=NOON, times=times + 1)


def test_several_processes_change_it_one_after_the_other(tmp_path: Path):
    """Not one of four times twenty changes is lost."""
    path = alerts_path(tmp_path, "sandbox", "default")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert read_alerts(path).open["runs"].times == 80


# ------------------------------------------------------------------------------------------------------------ posting


def notice(subject: str) -> Notice:
    return Notice(subject=subject, text=subject, blocks=[{"type": "divider"}], at=NOON)


class Slack:
    """Answers one fate after the other, the last for ever."""

    def __init__(self, *fates: DeliveryStatus) -> None:
        self.fates, self.seen = list(fates), list[tuple[str, bool]]()

    def __call__(self, one: Notice, again: bool) -> Posting:
        self.seen.append((one.text, again))
        delivery_status = self.fates.pop(0) if len(self.fates) > 1 else self.fates[0]
        return Posting(
            delivery_status, None if delivery_status is DeliveryStatus.POSTED else f"Slack: {delivery_status.value}"
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two messages that wait."""
    path = alerts_path(tmp_path, "sandbox", "default")
    with FileAlerts(path).held() as held:
        alerts = held.alerts
        put_notice(alerts, notice("one"))
        put_notice(alerts, notice("two"))
    return path


def post(path: Path, slack: Slack) -> str | None:
    with FileAlerts(path).held() as held:
        return post_notices(held, slack)


def test_what_waits_is_posted_once_oldest_first(path: Path):
    """And not again."""
    slack = Slack(DeliveryStatus.POSTED)
    assert post(path, slack) is None
    assert post(path, slack) is None
    assert slack.seen == [("one", False), ("two", False)]


def test_an_outage_keeps_them_without_asking_for_each(path: Path):
    """One attempt tells that Slack is away; when it is back, both go out as themselves."""
    away = Slack(DeliveryStatus.NOT_POSTED)
    assert post(path, away) == "Slack: not posted"
    assert away.seen == [("one", False)]
    back = Slack(DeliveryStatus.POSTED)
    assert post(path, back) is None
    assert back.seen == [("one", False), ("two", False)]


def test_what_may_have_arrived_is_sent_until_it_certainly_has_and_says_so(path: Path):
    """Each time as a possible repeat: an outage that swallows answers must not swallow the news."""
    slack = Slack(DeliveryStatus.UNCERTAIN, DeliveryStatus.UNCERTAIN, DeliveryStatus.NOT_POSTED, DeliveryStatus.POSTED)
    assert [post(path, slack) for _ in range(4)] == ["Slack: uncertain", "Slack: uncertain", "Slack: not posted", None]
    assert slack.seen == [("one", False), ("one", True), ("one", True), ("one", True), ("two", False)]
    assert read_alerts(path).notices == []


def test_a_message_its_poster_died_over_may_be_a_repeat(path: Path):
    """An attempt is on record before it is made."""

    def die(_one: Notice, _again: bool) -> Posting:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), FileAlerts(path).held() as held:
        post_notices(held, die)
    slack = Slack(DeliveryStatus.POSTED)
    assert post(path, slack) is None
    assert slack.seen == [("one", True), ("two", False)]


def test_what_slack_will_never_take_does_not_block_the_rest(path: Path):
    """It is dropped, and the reason is returned."""
    slack = Slack(DeliveryStatus.UNPOSTABLE, DeliveryStatus.POSTED)
    assert post(path, slack) == "Slack: unpostable"
    assert read_alerts(path).notices == []


def test_news_nobody_has_seen_is_replaced_by_newer_news(path: Path):
    """After an outage people hear how it is, not how it went."""
    with FileAlerts(path).held() as held:
        alerts = held.alerts
        assert never_told(alerts, "one")
        put_notice(alerts, Notice(subject="one", text="newer", blocks=[], at=NOON))
        drop_notices(alerts, "two")
    assert [one.text for one in read_alerts(path).notices] == ["newer"]
    assert not never_told(read_alerts(path), "two")
