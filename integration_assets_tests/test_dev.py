"""Commands that keep servers running end what they started, and touch nobody's data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from integration_assets import demo
from integration_assets.dev import run_dev, run_sandbox, run_to_its_end
from integration_assets.errors import ConfigurationError
from integration_assets.logs import LogOutput
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until

CHILD = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("ended").touch(), sys.exit(7)))
pathlib.Path("ready").touch()
time.sleep(60)
"""
PARENT = f"""
import sys
from integration_assets.dev import run_to_its_end
sys.exit(run_to_its_end([sys.executable, "-c", {CHILD!r}], {{}}))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a staging store in it, and small sandboxes."""
    for name in os.environ.keys() - clean_environment({}).keys():
        monkeypatch.delenv(name)
    small = build_sample(requests=40, votes=400, companies=120)
    monkeypatch.setattr(demo, "build_sandbox", lambda crm: build_sandbox(small, plan=None, slack_interval=0, crm=crm))
    monkeypatch.setattr("integration_assets.sync.setup.POLL_SECONDS", 0.05)
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "precious").touch()
    return tmp_path


def test_the_sandbox_has_a_home_of_its_own_and_hands_its_addresses_to_the_command(home):
    """Its portals begin empty each time, so its home does; what lies beside it is not touched."""
    (home / "sandbox").mkdir()
    (home / "sandbox" / "old").touch()
    code = "import json, os, pathlib; pathlib.Path('told.json').write_text(json.dumps(dict(os.environ))); exit(3)"
    ended = run_sandbox([sys.executable, "-c", f"import os; os.chdir({str(home)!r}); {code}"], port=0, with_setup=True)
    assert ended == 3
    told = json.loads((home / "told.json").read_text())
    assert told["INTEGRATION_ASSETS_HOME"] == str(home / "sandbox")
    assert told["CANNY_BASE_URL"].startswith("http://127.0.0.1:")
    assert (home / "staging" / "precious").exists()
    assert not (home / "sandbox" / "old").exists()
    assert list((home / "sandbox").rglob("*.duckdb"))


def test_the_exit_code_of_the_command_is_handed_on(tmp_path):
    """Scripts see what they would have seen without us."""
    assert run_to_its_end([sys.executable, "-c", "import os; exit(int(os.environ['CODE']))"], {"CODE": "5"}) == 5


@pytest.mark.parametrize("interrupts", ["heeded", "ignored, as in a background job"])
def test_sigterm_is_passed_on_and_the_command_waited_for(tmp_path, interrupts):
    """A server under it can end in order, also when it was started with `&` from a script."""
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if "ignored" in interrupts else []
    process = subprocess.Popen([*shell, sys.executable, "-c", PARENT], cwd=tmp_path, env=clean_environment({}))
    try:
        until(lambda: (tmp_path / "ready").exists() or process.poll() is not None, "the command's start")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 7
        assert (tmp_path / "ended").exists()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("typed", "style", "handed_on", "format_options"),
    [("debug", "text", "debug", []), (None, "json", None, ["--log-format", "json"])],
)
def test_what_was_asked_of_the_log_reaches_the_processes_that_dagster_starts(
    home, monkeypatch, typed, style, handed_on, format_options
):
    """Runs are other processes than the one somebody typed `-vv` for; objects are asked of Dagster as well."""
    started = []

    def start(command, environment, folder=None):
        started.append((command, environment))
        return 0

    monkeypatch.setattr("integration_assets.dev.run_to_its_end", start)
    monkeypatch.setattr("integration_assets.dev.output", lambda: LogOutput(typed or "info", style, typed is not None))
    monkeypatch.setenv("CANNY_API_KEY", "key-of-somebody")
    assert run_dev(3000) == 0
    [(command, environment)] = started
    assert environment.get("INTEGRATION_ASSETS_LOG_LEVEL") == handed_on
    assert command[command.index("3000") + 1 :] == format_options


@pytest.mark.parametrize(
    ("ended", "code"), [(0, 0), (-signal.SIGTERM, 0), (-signal.SIGINT, 0), (-signal.SIGKILL, -9), (3, 3)]
)
def test_a_ui_that_is_told_to_stop_has_ended_well(home, monkeypatch, ended, code):
    """Also where Dagster could not listen to the signal yet; any other end stays what it is."""
    monkeypatch.setattr("integration_assets.dev.run_to_its_end", lambda *_: ended)
    monkeypatch.setenv("CANNY_API_KEY", "key-of-somebody")
    assert run_dev(3000) == code


def test_a_command_that_is_not_there_is_named() -> None:
    """Wrong usage in one line, not a stack trace."""
    with pytest.raises(ConfigurationError, match="no-such-program: no such program on the PATH"):
        run_to_its_end(["no-such-program", "serve"], {})
