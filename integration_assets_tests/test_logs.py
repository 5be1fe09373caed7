"""What the log says, in which shape, from which level on; and that no secret leaves by it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import dagster as dg
import pytest

from integration_assets import logs
from integration_assets.connectors import redaction
from integration_assets.connectors.redaction import RedactingFilter, register
from integration_assets.errors import ConfigurationError
from integration_assets.reporting import progress
from integration_assets.reporting.progress import showing, track

SECRET = "s3cret/of+a=tenant"
OURS = logging.getLogger("integration_assets.somewhere")


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Variables of the machine do not count, and each test has its own register; the log of before comes back."""
    monkeypatch.delenv("INTEGRATION_ASSETS_LOG", raising=False)
    monkeypatch.delenv("INTEGRATION_ASSETS_LOG_LEVEL", raising=False)
    monkeypatch.setattr(redaction, "_forms_by_start", {})
    loggers = [logging.getLogger(name) for name in ("", "integration_assets", "uvicorn")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    attached, output = list(logs._attached), logs._output
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    logs._attached[:], logs._output = attached, output


def our_handlers() -> list[logging.Handler]:
    """The handlers that were attached."""
    return [handler for _, handler in logs._attached]


def spoken(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr since the last look."""
    return capsys.readouterr().err.splitlines()


def speak() -> None:
    """One line at every level."""
    for level in ("debug", "info", "warning", "error"):
        getattr(OURS, level)("at %s", level)


@pytest.mark.parametrize(
    ("typed", "variable", "shown"),
    [
        (None, None, ["warning", "error"]),
        (None, "INFO", ["info", "warning", "error"]),
        ("debug", "error", ["debug", "info", "warning", "error"]),
        ("error", "debug", ["error"]),
    ],
)
def test_what_was_typed_counts_then_the_variable_then_the_default(
    typed: Any, variable: str | None, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each level shows itself and what is above it."""
    with mock.patch.dict(os.environ, {"INTEGRATION_ASSETS_LOG_LEVEL": variable} if variable else {}):
        logs.configure(typed)
    speak()
    assert [line.rsplit(" ", 1)[1] for line in spoken(capsys)] == shown


@pytest.mark.parametrize(("variable", "shown"), [(None, ["waits"]), ("warning", ["failed", "waits"])])
def test_what_the_result_shows_is_logged_only_for_whoever_asked(
    variable: str | None, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A command ends with its checks; a level that somebody chose has them on stderr as well."""
    with mock.patch.dict(os.environ, {"INTEGRATION_ASSETS_LOG_LEVEL": variable} if variable else {}):
        logs.configure(shows_result=True)
    logging.getLogger("integration_assets.assets.asset_checks").warning("failed")
    logging.getLogger("integration_assets.connectors.limiter").warning("waits")
    assert [line.rsplit(" ", 1)[1] for line in spoken(capsys)] == shown


def test_a_line_of_text_has_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """What follows a line break is indented: nobody can forge a line."""
    logs.configure("info")
    OURS.info("read %d votes\n12:00:00 ERROR forged", 3)
    first, second = spoken(capsys)
    assert re.fullmatch(r"[0-2]\d:[0-5]\d:[0-5]\d INFO integration_assets\.somewhere read 3 votes", first)
    assert second == "    12:00:00 ERROR forged"


def test_a_line_of_json_has_the_fields_of_the_event_and_of_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is one object; a field cannot take the place of the time, the level or the message."""
    monkeypatch.setenv("INTEGRATION_ASSETS_LOG", "json")
    logs.configure("info")
    with logs.run_fields(tenant="acme", run_id="r1") as fields:
        fields["environment"] = "sandbox"
        OURS.warning("a\nb", extra={"wait_seconds": 1.5, "reasons": ("x", "y"), "level": "none", "time": "never"})
        OURS.info("of another", extra={"tenant": "other"})
    OURS.info("of none")
    one, other, none = (json.loads(line) for line in spoken(capsys))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", one.pop("time"))
    assert one == {
        "level": "WARNING",
        "logger": "integration_assets.somewhere",
        "message": "a\nb",
        "tenant": "acme",
        "run_id": "r1",
        "environment": "sandbox",
        "wait_seconds": 1.5,
        "reasons": ["x", "y"],
    }
    assert (other["tenant"], other["run_id"]) == ("other", "r1")
    assert "tenant" not in none


def test_runs_may_be_nested_and_each_ends_by_itself() -> None:
    """A run that ends leaves the fields of the one around it."""
    with logs.run_fields(run_id="outer"):
        with logs.run_fields(run_id="outer"):
            pass
        assert logs._runs == [{"run_id": "outer"}]
    assert logs._runs == []


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_and_no_address_leaves_by_any_handler(
    style: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by the message, nor by a field however deep, nor by the text of an exception; not into Dagster either."""
    register(SECRET)
    monkeypatch.setenv("INTEGRATION_ASSETS_LOG", style)
    logs.configure("debug")
    taken: list[logging.LogRecord] = []

    class Dagster(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            taken.append(record)

    dagster, handler = dg.get_dagster_logger(), Dagster()
    dagster.addHandler(handler)
    try:
        try:
            int(SECRET)
        except ValueError as error:
            deep = {"list": [SECRET, {"key " + SECRET: "ann@acme.example"}], "error": error, "number": 3}
            OURS.exception("key %s of ann@acme.example", SECRET, extra=deep)
    finally:
        dagster.removeHandler(handler)
    [record] = taken
    said = "\n".join(spoken(capsys))
    for text in (said, repr(vars(record)), record.getMessage()):
        assert SECRET not in text
        assert "ann@acme" not in text
    assert "invalid literal for int() with base 10: '***'" in said
    assert "invalid literal for int() with base 10: '***'" in record.getMessage()
    assert record.exc_info is None
    assert all(any(isinstance(one, RedactingFilter) for one in handler.filters) for handler in our_handlers())


def test_a_line_reaches_dagster_from_info_on_whatever_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """In a step its lines are in the run's log, with the step; outside of one they go nowhere but to stderr."""
    logs.configure("error")

    @dg.op
    def speaking() -> None:
        speak()

    @dg.job
    def job() -> None:
        speaking()

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, run_config=quiet)
        kept = [entry for entry in instance.all_logs(run.run_id) if entry.dagster_event is None]
    assert [(one.step_key, one.user_message) for one in kept] == [
        ("speaking", f"at {level}") for level in ("info", "warning", "error")
    ]
    OURS.warning("outside")
    assert [line.rsplit(" ", 1)[1] for line in spoken(capsys)] == ["error"]


def test_a_line_that_dagster_cannot_keep_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk is the run's own trouble, and told by what needs the disk."""
    logs.configure("error")

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    dagster, handler = dg.get_dagster_logger(), Full()
    dagster.addHandler(handler)
    try:
        OURS.info("on the way")
    finally:
        dagster.removeHandler(handler)
    assert spoken(capsys) == ["a line could not be written into the run's log (OSError)"]


def test_configuring_again_takes_the_place_of_before(capsys: pytest.CaptureFixture[str]) -> None:
    """No line is written twice."""
    logs.configure("debug")
    logs.configure("info")
    logs.ensure_configured()
    logs.ensure_forwarded()
    OURS.info("once")
    assert len(spoken(capsys)) == 1
    assert len(our_handlers()) == 2


def test_a_project_that_loads_our_assets_gets_the_lines_of_a_run_and_no_handler_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own logging stays as it is."""
    ours = logging.getLogger("integration_assets")
    monkeypatch.setattr(logs, "_output", None)
    for logger, handler in logs._attached:
        logger.removeHandler(handler)
    ours.setLevel(logging.NOTSET)
    logs.ensure_forwarded()
    logs.ensure_forwarded()
    assert [type(handler) for handler in ours.handlers] == [logs.RunLogHandler]
    OURS.info("nowhere")
    assert spoken(capsys) == []


@pytest.mark.parametrize(
    ("name", "value"), [("INTEGRATION_ASSETS_LOG", "yaml"), ("INTEGRATION_ASSETS_LOG_LEVEL", "loud")]
)
def test_a_wrong_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it may be."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: must be") as raised:
        logs.configure()
    assert raised.value.exit_code == 2
    assert value not in raised.value.message


@pytest.mark.parametrize(("style", "written"), [("text", 1), ("json", 2)])
def test_in_a_step_of_a_code_location_a_line_of_text_is_printed_once(
    style: str, written: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dagster prints it there. An object is written all the same: nobody can collect what Dagster prints."""
    monkeypatch.setenv("INTEGRATION_ASSETS_LOG", style)
    logs.configure(default="info", everybody=False)

    @dg.op
    def speaking() -> None:
        OURS.info("only once")

    @dg.job
    def job() -> None:
        speaking()

    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance)
    assert sum("only once" in line for line in spoken(capsys)) == written
    OURS.info("outside of a step")
    assert len(spoken(capsys)) == 1


def test_links_are_left_out() -> None:
    """Their addresses are made of titles; what stands around them stays."""
    text = "2 requests, no title: 68ab (https://acme.canny.io/admin/board/a/p/dark-mode), 68cd; see https://x.example/a"
    assert logs.without_links(text) == "2 requests, no title: 68ab, 68cd; see"


def test_a_code_location_with_a_wrong_variable_loads_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The defaults hold: what else the project has must not be taken down."""
    monkeypatch.setenv("INTEGRATION_ASSETS_LOG", "yaml")
    monkeypatch.setattr(logs, "_output", None)
    logs.ensure_configured()
    OURS.info("goes on")
    wrong, line = spoken(capsys)
    assert "WARNING" in wrong
    assert "INTEGRATION_ASSETS_LOG: must be" in wrong
    assert line.endswith("INFO integration_assets.somewhere goes on")


def test_progress_is_shown_only_where_the_log_is_as_quiet_as_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside lines that tell the same it would be told twice; in quiet it is not wanted."""
    from rich.console import Console

    shown = {}
    for level in ("debug", "info", "warning", "error"):
        logs.configure(level)
        with showing(Console(stderr=True, force_terminal=False)), track("votes") as advance:
            advance(1200)
        shown[level] = spoken(capsys)
    assert [("votes: 1,200 in" in " ".join(lines), len(lines)) for lines in shown.values()] == [
        (True, 1),
        (True, 1),
        (True, 1),
        (False, 0),
    ]
    assert " INFO " in shown["info"][0]
    assert shown["warning"][0].startswith("votes: 1,200 in")


def test_long_work_says_now_and_then_how_far_it_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose log tells nothing for half an hour is taken for one whose machine is gone."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with caplog.at_level(logging.INFO), track("votes", 9_000) as advance:
        for _ in range(9):
            now[0] += 300
            advance(1_000)
    assert [record.getMessage() for record in caplog.records] == [
        "votes: 2,000 of 9,000 so far",
        "votes: 4,000 of 9,000 so far",
        "votes: 6,000 of 9,000 so far",
        "votes: 8,000 of 9,000 so far",
        "votes: 9,000 in 2700.0 s",
    ]


@pytest.mark.parametrize("stream", [None, "closed", "full"])
def test_a_log_that_cannot_be_written_breaks_nothing(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever read stderr has gone, or there is none: the code that logs goes on."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", {None: None, "closed": closed, "full": Full()}[stream])
    record = logging.makeLogRecord({"msg": "a line", "levelno": logging.WARNING, "levelname": "WARNING"})
    assert logs.StderrHandler("text").handle(record)
