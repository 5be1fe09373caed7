"""The log: where its lines go, from which level on, and what a line looks like.

Whoever has something to say asks `logging.getLogger(__name__)`; numbers and names go into `extra` as well, so that a
line is one JSON object with fields of its own where `INTEGRATION_ASSETS_LOG=json` asks for that. `configure` is called
where a process begins: by the command line, and by Dagster's code location. Lines of a run reach its log in the Dagster
UI from INFO on, whatever is shown on stderr.

No line holds a secret or an address (`connectors.redaction`), and none is to hold a title, which is text of people.
May import `config`, `connectors` and `errors`.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from integration_assets.config import LogLevel, LogSettings, load_log_settings
from integration_assets.connectors.redaction import RedactingFilter, fields_of
from integration_assets.errors import ConfigurationError

PRODUCT = "integration_assets"
"""Name of the logger above all of ours."""
_CAPTURED_BY_DAGSTER = "dagster.builtin"
"""Name of Dagster's logger to which it attaches, while a step is at work, what writes into the log of its run."""
_SERVER = "uvicorn"
"""Logger of the web server, whose lines are the operator's as much as ours."""
_LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class LogOutput(msgspec.Struct, frozen=True):
    """Configuration of the log. `chosen`: somebody named the level, else it is the default of the command."""

    level: LogLevel
    style: str
    chosen: bool


# ------------------------------------------------------------------------------------------------------------ the run


_runs: list[dict[str, str]] = []
"""The runs in progress, innermost last. Per process and no context variable: Dagster runs steps in contexts of their
own, and DuckDB and the CRM are waited for in threads."""


@contextmanager
def run_fields(**fields: str) -> Iterator[dict[str, str]]:
    """Name the run that lines are about (`tenant`, `run_id`, `environment`) while the block is open.

    What is yielded may be completed as soon as more is known.
    """
    known = dict(fields)
    _runs.append(known)
    try:
        yield known
    finally:
        # By identity: two runs may have equal fields, and the other one goes on.
        _runs[:] = [one for one in _runs if one is not known]


class _RunFilter(logging.Filter):
    """Adds what is known of the run in progress to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in (_runs[-1] if _runs else {}).items():
            # A line that names a tenant of its own, such as a removed one, is about that one.
            vars(record).setdefault(name, value)
        return True


# ----------------------------------------------------------------------------------------------------------- one line


class TextFormatter(logging.Formatter):
    """`HH:MM:SS level logger message`, in UTC like every time the product shows."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its name
        """The time of a line; there is one format."""
        return f"{datetime.fromtimestamp(record.created, UTC):{datefmt or '%H:%M:%S'}}"

    def format(self, record: logging.LogRecord) -> str:
        """One line; those that follow it, as of a traceback, are indented."""
        # Text of another system must not be able to forge a line of its own.
        return super().format(record).replace("\n", "\n    ").replace("\r", "\\r")


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC, ISO 8601), level, logger, message, and the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, `exception` with the traceback where there is one."""
        # The fields first: none of them may pass for the time or the level of the line.
        line: dict[str, Any] = fields_of(record) | {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # Already text: the redacting filter has made it so.
        if record.exc_text:
            line["exception"] = record.exc_text
        return msgspec.json.encode({name: line[name] for name in sorted(line, key=_place)}, enc_hook=str).decode()


_FIRST = ("time", "level", "logger", "message", "tenant", "run_id", "environment")


def _place(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


# ------------------------------------------------------------------------------------------------------- where it goes


class StderrHandler(logging.Handler):
    """Writes to whatever stderr is at that moment: progress bars and tests put their own in its place."""

    def __init__(self, style: str, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
        self.addFilter(_RunFilter())
        self.addFilter(RedactingFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, if stderr can still be written: the work that the line is about goes on without it."""
        # Closed by whoever read it, or full, or none at all: there is nowhere else to tell that.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{self.format(record)}\n")


class RunLogHandler(logging.Handler):
    """Hands each line to what Dagster captures the step at work with; outside a step nothing captures anything.

    Not by Dagster's `managed_python_loggers`, which an operator's own dagster.yaml need not have, which takes lines
    that no filter of ours has seen, and which would set the level of our loggers for stderr as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RedactingFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over a copy: Dagster writes its own words into what it is given."""
        copied = copy.copy(record)
        # Dagster keeps the message only, and whoever prints the traceback would format it anew, unredacted.
        copied.exc_info, copied.exc_text = None, None
        if record.exc_text:
            copied.msg = f"{record.getMessage()}\n{record.exc_text}"
        for handler in _dagsters_handlers():
            try:
                handler.handle(copied)
            except Exception as error:  # noqa: BLE001 - a line that cannot be kept must not end the run it is about
                sys.stderr.write(f"a line could not be written into the run's log ({type(error).__name__})\n")


def _dagsters_handlers() -> list[logging.Handler]:
    """Handlers with which Dagster captures the step at work; empty outside of one."""
    return logging.getLogger(_CAPTURED_BY_DAGSTER).handlers


def _is_not_printed_by_dagster(_: logging.LogRecord) -> bool:
    return not _dagsters_handlers()


_LINK = re.compile(r"\s*\(?https?://[^\s)]+\)?")


def without_links(text: str) -> str:
    """A text without the links in it: the address of a request in the feedback system is made of its title."""
    return _LINK.sub("", text)


_output: LogOutput | None = None
_attached: list[tuple[logging.Logger, logging.Handler]] = []


def configure(
    level: LogLevel | None = None,
    *,
    default: LogLevel = "warning",
    everybody: bool = True,
    shows_result: bool = False,
) -> None:
    """Say where lines go from now on. Called again, it takes the place of the call before.

    `level` is what somebody typed; else `INTEGRATION_ASSETS_LOG_LEVEL` counts, else `default`. `everybody`: warnings of
    other libraries are shown as well, in the same shape. `shows_result`: the command ends with what its run found,
    which is not shown a second time unless somebody chose a level.

    Raises:
        ConfigurationError: a variable of the log is wrong; names it.
    """
    _apply(load_log_settings(), level, default=default, everybody=everybody, shows_result=shows_result)


def _apply(
    settings: LogSettings, level: LogLevel | None, *, default: LogLevel, everybody: bool, shows_result: bool = False
) -> None:
    global _output  # noqa: PLW0603 - there is one stderr per process, and one way to it
    chosen = level or settings.level
    _output = LogOutput(chosen or default, settings.style, chosen is not None)
    shown = _LEVELS[_output.level]
    for logger, handler in _attached:
        logger.removeHandler(handler)
    _attached.clear()
    ours = logging.getLogger(PRODUCT)
    # INFO even where less is shown: the run's log in Dagster is read when it is too late to ask for more.
    ours.setLevel(min(shown, logging.INFO))
    logging.getLogger(_SERVER).setLevel(shown)
    _attach(ours, RunLogHandler())
    stderr = StderrHandler(settings.style, shown)
    # Of a code location, Dagster prints the lines of libraries itself, and in a step ours as well. Objects are for
    # whoever collects them, which cannot read what Dagster prints.
    if not everybody and settings.style == "text":
        stderr.addFilter(_is_not_printed_by_dagster)
    if shows_result and not chosen and settings.style == "text":
        stderr.addFilter(_is_not_in_the_result)
    _attach(logging.getLogger() if everybody else ours, stderr)


_IN_THE_RESULT = tuple(
    f"{PRODUCT}.{module}" for module in ("assets.asset_checks", "staging.loading", "runs.finish", "runs.plan_and_apply")
)
"""Loggers of what a command shows at its end: checks, records kept out, the plan and its guard, how the run ended."""


def _is_not_in_the_result(record: logging.LogRecord) -> bool:
    return record.name not in _IN_THE_RESULT


def ensure_configured() -> None:
    """Configure the log of a Dagster code location, unless this process has a log already, as a command has.

    Where a variable is wrong the defaults hold, and the log begins with that.
    """
    if _output is not None:
        return
    try:
        configure(default="info", everybody=False)
    # A code location that does not load would take everything down; a command ends at the same variable.
    except ConfigurationError as error:
        _apply(LogSettings.model_construct(), None, default="info", everybody=False)
        logging.getLogger(__name__).warning("%s; the log is as by default", error.message)


def ensure_forwarded() -> None:
    """See that lines reach the log of the Dagster run, also where somebody else's project has loaded our assets."""
    ours = logging.getLogger(PRODUCT)
    if not any(isinstance(handler, RunLogHandler) for handler in ours.handlers):
        _attach(ours, RunLogHandler())
        # Their own level is kept, unless it is that of the root, which leaves out all that is not a warning.
        if ours.level == logging.NOTSET:
            ours.setLevel(logging.INFO)


def output() -> LogOutput | None:
    """Configuration of this process's log; None before there is one."""
    return _output


def shows_progress() -> bool:
    """Tell whether progress is shown on stderr: beside lines that tell the same, or where none is wanted, it is not."""
    return _output is None or (_output.level == "warning" and _output.style == "text")


def _attach(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.addHandler(handler)
    _attached.append((logger, handler))
