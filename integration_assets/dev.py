"""Commands that keep servers running: the embedded sandbox, and the Dagster UI on it or on the systems configured."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess  # nosec B404  # to start Dagster
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from integration_assets.config import LOG_LEVEL_VARIABLE, load_settings, variable
from integration_assets.demo import served, show_setup, variables, wait_for_interrupt
from integration_assets.errors import ConfigurationError
from integration_assets.logs import output
from integration_assets.runs.in_process import config_file, dagster_home, prepared_instance
from integration_assets.sandbox.internal import Billing
from integration_assets.tenants.registry.place import has_registry
from integration_assets.tenants.settings import registry_tenants

HOST = "127.0.0.1"
"""The UI has no login: it is served to this machine only."""


def run_sandbox(command: list[str], *, port: int, with_setup: bool) -> int:
    """Serve the sandbox until interrupted, or for as long as `command` runs; returns that command's exit code."""
    console = Console(stderr=True)
    with _fresh_sandbox(console, port=port, with_setup=with_setup) as environment:
        if command:
            return run_to_its_end(command, environment)
        wait_for_interrupt(console, environment)
        return 0


def run_dev(port: int) -> int:
    """Serve the Dagster UI on `port` until SIGINT or SIGTERM; returns its exit code, 0 after a signal.

    With the key of a feedback system it works on the systems the environment variables name, with a registry on its
    tenants' as well, without either on a fresh embedded sandbox. Dagster keeps its records in `DAGSTER_HOME`, or
    in `dagster` under the product's home, and finds a partition per tenant there, `default` among them.
    """
    console = Console(stderr=True)
    settings = load_settings()
    missing = [name for feedback in settings.feedbacks for name in feedback.missing]
    if not missing or has_registry(settings):
        tenants = registry_tenants(settings)
        what = "the systems your environment variables name" if tenants is None else "the tenants of the registry"
        return _serve_ui(console, settings.home, port, {}, what, tenants)
    with _fresh_sandbox(console, port=0, with_setup=True) as environment:
        home = Path(environment["INTEGRATION_ASSETS_HOME"])
        return _serve_ui(
            console,
            home,
            port,
            environment,
            f"the embedded sandbox, as {' and '.join(missing)} is not set",
        )


@contextmanager
def _fresh_sandbox(console: Console, *, port: int, with_setup: bool) -> Iterator[dict[str, str]]:
    """A served sandbox; yields the variables that point the product at it.

    Its portals begin empty, so its home does as well: a folder `sandbox` of its own under the product's home.
    """
    home = (load_settings().home / "sandbox").resolve()
    # The portals begin empty: a ledger of an earlier sandbox would know records that are not there.
    shutil.rmtree(home, ignore_errors=True)
    with served(home, port=port) as (sandbox, addresses, environment):
        console.print(Text(_of_billing(addresses.internal_base_url, sandbox.billing)))
        if with_setup:
            with variables(environment):
                show_setup(console, load_settings())
        yield environment


def _of_billing(base_url: str, billing: Billing) -> str:
    """Describe how the sandbox's internal system can be asked: no environment variable can say it."""
    return (
        f"An internal billing system, for tenants of the registry: {base_url}/v1/accounts; OAuth 2 client "
        f"{billing.client_id}, secret {billing.client_secret}, token URL {base_url}/oauth/token"
    )


def _serve_ui(
    console: Console,
    home: Path,
    port: int,
    environment: Mapping[str, str],
    on_what: str,
    tenants: tuple[str, ...] | None = None,
) -> int:
    folder = dagster_home(home)
    with prepared_instance(folder, tenants):
        pass
    console.print(Text(f"Dagster UI on http://{HOST}:{port}, on {on_what}; Ctrl-C stops it."))
    workspace = str(config_file("workspace.yaml"))
    log = output()
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", HOST, "-p", str(port)]
    # Of the daemon and the web server; runs and their code location say their lines themselves.
    if log is not None and log.style == "json":
        command += ["--log-format", "json"]
    # From its own folder, Dagster does not pick up a stray .env: UI and command line see the same variables.
    settings = {"DAGSTER_HOME": str(folder.resolve()), "INTEGRATION_ASSETS_HOME": str(home.resolve())}
    # Links in messages lead to this UI, unless somebody named a public address.
    if load_settings().ui_url is None:
        settings[variable("ui_url")] = f"http://{HOST}:{port}"
    # What was typed is for this process; the runs are others.
    if log is not None and log.chosen:
        settings[LOG_LEVEL_VARIABLE] = log.level
    code = run_to_its_end(command, {**environment, **settings}, folder)
    # Told to stop before it could listen to that, Dagster dies of the signal: for a supervisor both are a good end.
    return 0 if code in (-signal.SIGTERM, -signal.SIGINT) else code


def run_to_its_end(command: list[str], environment: Mapping[str, str], folder: Path | None = None) -> int:
    """Run a command with these variables on top of ours; returns its exit code.

    Ctrl-C reaches the command by the terminal and SIGTERM is passed on, and it is waited for either way, so that it
    can end what it has started.
    """
    if shutil.which(command[0]) is None:
        raise ConfigurationError(f"{command[0]}: no such program on the PATH: name its file, or activate its venv")
    # A shell starts background jobs with SIGINT ignored; Dagster would inherit that and ignore SIGTERM as well.
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env={**os.environ, **environment}, cwd=folder) as process:  # noqa: S603  # nosec B603  # as typed

        def pass_on(number: int, _: FrameType | None) -> None:
            process.send_signal(number)

        terminated = signal.signal(signal.SIGTERM, pass_on)
        try:
            while True:
                try:
                    return process.wait()
                # The command got the same Ctrl-C by the terminal: it is waited for, not killed in the middle of a
                # write.
                except KeyboardInterrupt:
                    continue
        finally:
            signal.signal(signal.SIGTERM, terminated)
            signal.signal(signal.SIGINT, interrupted)
