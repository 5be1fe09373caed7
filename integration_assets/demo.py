"""The demo: the product pointed at the embedded look-alikes, by environment variables only."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from integration_assets.commands.run_output import show_message, show_result, show_saved_plan
from integration_assets.config import DEFAULT_TENANT, ENVIRONMENTS, Settings, load_settings, variable
from integration_assets.connectors.specs import ProviderKind
from integration_assets.definitions import defs
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.providers import of_kind, usual
from integration_assets.reporting.insights import Filter
from integration_assets.reporting.progress import showing
from integration_assets.reporting.published import open_published, read_calls, show_rankings
from integration_assets.reporting.rankings import read_unresolved
from integration_assets.reporting.terminal import show_calls, show_unresolved
from integration_assets.runs.in_process import run_job
from integration_assets.runs.result import RunResult
from integration_assets.runs.state import Mode
from integration_assets.sandbox.feedback_systems import OTHER_FEEDBACK_SYSTEMS
from integration_assets.sandbox.server import CRM_NAMES, Sandbox, SandboxAddresses, build_sandbox, serving
from integration_assets.sandbox.serving import listening
from integration_assets.sandbox.table import write_calls, write_tables
from integration_assets.tenants.portal_setup import set_up

DEMO_HOME = Path(".integration_assets") / "demo"


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """These settings and no others for the length of a block: what somebody configured for real is none of the demo's.

    The variables of before come back afterwards.
    """
    ours = {variable(field) for field in Settings.model_fields} | {"DAGSTER_HOME"} | values.keys()
    before = {name: value for name, value in os.environ.items() if name in ours}
    try:
        # Taken away, not only overwritten: a real token that is set must not reach the demo.
        for name in before:
            del os.environ[name]
        os.environ.update(values)
        yield
    finally:
        for name in ours & os.environ.keys():
            del os.environ[name]
        os.environ.update(before)


FROM_TABLES = "table"
"""Feedback system of a demo whose requests and votes come from files."""


@contextmanager
def served(
    home: Path, *, port: int = 0, crm: str = CRM_NAMES[0], kept_in: str | None = None
) -> Iterator[tuple[Sandbox, SandboxAddresses, dict[str, str]]]:
    """A fresh sandbox on loopback, and the variables that point the product at it, its home included.

    Ports are `port` and the four after it, or any that are free. `crm` is what stands in for the CRM, and
    `kept_in` its object that holds the records; None: one of their own.
    """
    sandbox = build_sandbox(crm=crm) if kept_in is None else build_sandbox(crm=crm, kept_in=kept_in)
    ports = tuple(range(port, port + 5)) if port else ()
    home.mkdir(parents=True, exist_ok=True)
    overrides = home / "overrides.csv"
    overrides.write_text(sandbox.overrides_csv("sandbox"), encoding="utf-8")
    with serving(sandbox, ports) as addresses:
        yield (
            sandbox,
            addresses,
            {
                **addresses.environment(),
                "INTEGRATION_ASSETS_HOME": str(home),
                "INTEGRATION_ASSETS_OVERRIDES": str(overrides),
                "INTEGRATION_ASSETS_ENVIRONMENT": "sandbox",
                # The look-alikes are on this machine, where a company's proxy cannot reach them.
                **{name: f"{os.environ.get(name, '')},127.0.0.1".lstrip(",") for name in ("NO_PROXY", "no_proxy")},
            },
        )


@contextmanager
def feedback_from(
    feedback: str | None, sandbox: Sandbox, environment: Mapping[str, str], home: Path
) -> Iterator[Mapping[str, str]]:
    """The same variables with the sample's feedback in files, or in another system that is served for this block.

    With several systems, separated by commas, the files are of sales calls, and some say the same as a request.
    """
    names = (feedback or usual(ProviderKind.FEEDBACK).name).split(",")
    others = {
        name for one in of_kind(ProviderKind.FEEDBACK) if one.name not in names for name in one.variables(ENVIRONMENTS)
    }
    wanted = {name: value for name, value in environment.items() if name not in others}
    if len(names) > 1:
        wanted["INTEGRATION_ASSETS_FEEDBACK"] = ",".join(names)
    with ExitStack() as stack:
        for name in names:
            if name == FROM_TABLES and len(names) > 1:
                mapping, same = write_calls(sandbox.sample.workspace, home / "calls", beside=names[0])
                wanted |= {"INTEGRATION_ASSETS_TABLE": str(mapping), "INTEGRATION_ASSETS_SAME_REQUESTS": str(same)}
            elif name == FROM_TABLES:
                wanted["INTEGRATION_ASSETS_TABLE"] = str(write_tables(sandbox.sample.workspace, home / "tables"))
            elif name in OTHER_FEEDBACK_SYSTEMS:
                stand_in = OTHER_FEEDBACK_SYSTEMS[name](sandbox.sample)
                [origin] = stack.enter_context(listening([stand_in.lookalike]))
                allowed = f"{wanted['INTEGRATION_ASSETS_ALLOWED_HOSTS']},{origin.split('/')[2]}"
                wanted |= {**stand_in.settings(origin), "INTEGRATION_ASSETS_ALLOWED_HOSTS": allowed}
        yield wanted


def run_demo(
    console: Console,
    *,
    keep: bool = False,
    crm: str = CRM_NAMES[0],
    kept_in: str | None = None,
    feedback: str | None = None,
) -> int:
    """Setup, dry run, sync, a second sync, and what there is to see afterwards. Returns the exit code.

    `kept_in` is the CRM's object that holds the records; None: one of their own. `feedback` is the feedback system, by
    its provider's name, or several with commas; None: the usual one.

    Raises:
        ConfigurationError: there is no look-alike of `crm`, it has no such objects, or there is no demo of `feedback`.
    """
    if crm not in CRM_NAMES:
        raise ConfigurationError(f"there is no look-alike of {crm!r}: choose one of {', '.join(CRM_NAMES)}")
    if kept_in is not None and crm != CRM_NAMES[0]:
        raise ConfigurationError(f"--object chooses among the objects of {CRM_NAMES[0]}; {crm} has one of its own")
    names = (usual(ProviderKind.FEEDBACK).name, FROM_TABLES, *OTHER_FEEDBACK_SYSTEMS)
    wanted = [] if feedback is None else feedback.split(",")
    if unknown := next((one for one in wanted if one not in names or wanted.count(one) > 1), None):
        raise ConfigurationError(
            f"--feedback must be one of {', '.join(names)}, or several with commas: there is no demo of {unknown}"
        )
    began = time.monotonic()
    # From an empty home, so that the first sync has everything to write.
    shutil.rmtree(DEMO_HOME, ignore_errors=True)
    with (
        served(DEMO_HOME, crm=crm, kept_in=kept_in) as (sandbox, _, environment),
        feedback_from(feedback, sandbox, environment, DEMO_HOME) as ours,
        variables(ours),
    ):
        return _run_steps(console, sandbox, ours, began, keep=keep)


def _run_steps(console: Console, sandbox: Sandbox, environment: Mapping[str, str], began: float, *, keep: bool) -> int:
    settings = load_settings()
    _headline(console, f"Setup: what the CRM {settings.crm(settings.environment).spec.words.portal} lacks is created")
    show_setup(console, settings)
    for title, mode, show in (
        ("Dry run: what a sync would change", Mode.DRY_RUN, _show_dry_run),
        ("Sync: written, read back, verified", Mode.SYNC, _show_sync),
        ("Second sync: nothing changed, so nothing is written", Mode.SYNC, _show_sync),
    ):
        _headline(console, title)
        ending = _run(settings, mode)
        show(console, settings, ending)
        # At the first step that fails: the later ones would only repeat its error.
        if ending.exit_code:
            return ending.exit_code
    _show_results(console, settings, ending, sandbox)
    writes = ending.summary.api_calls[settings.crm_provider]
    console.print(Text(f"\nThe second sync made {getattr(writes, 'writes', 0)} write calls."))
    console.print(Text(f"The demo took {time.monotonic() - began:.0f} s."))
    _headline(console, "Look at the results")
    console.print(Text("\n".join(next_commands())), soft_wrap=True)
    # The promise of the product: the demo fails loudly rather than showing the opposite.
    if getattr(writes, "writes", 0):
        raise PermanentError("the second sync wrote although nothing had changed: this is a bug")
    if keep:
        wait_for_interrupt(console, environment)
    return 0


def next_commands() -> list[str]:
    """Commands that show what the demo left, as they can be typed in the folder it ran in; the README has the same."""
    program = ".venv/bin/integration-assets" if Path(".venv/bin/integration-assets").exists() else "integration-assets"
    return [
        f"export {variable('home')}={DEMO_HOME}",
        f"{program} rankings --by companies",
        f"{program} report --html report.html",
        f"{program} serve",
    ]


def _run(settings: Settings, mode: Mode) -> RunResult:
    with showing(Console(stderr=True)):
        return run_job(defs.resolve_job_def(mode.value), settings, mode, tenant=DEFAULT_TENANT)


def show_setup(console: Console, settings: Settings) -> None:
    """Set the portal up without asking, and show what is created."""

    def agree(lines: list[str]) -> bool:
        console.print(Text("\n".join(f"  {line}" for line in lines)))
        return True

    with showing(Console(stderr=True)):
        result = asyncio.run(set_up(settings, DEFAULT_TENANT, agree))
    console.print(Text("\n".join(result.lines)))


def _show_dry_run(console: Console, settings: Settings, ending: RunResult) -> None:
    show_saved_plan(console, settings, DEFAULT_TENANT, ending, None, lines=4, numbers=False)
    show_result(console, ending)


def _show_sync(console: Console, _settings: Settings, ending: RunResult) -> None:
    show_result(console, ending)


def _show_results(console: Console, settings: Settings, ending: RunResult, sandbox: Sandbox) -> None:
    _headline(console, "Which requests matter most")
    show_rankings(console, settings, DEFAULT_TENANT, Filter(by="arr"), 10)
    show_rankings(console, settings, DEFAULT_TENANT, Filter(by="companies"), 10)
    _headline(console, "Whose votes count for no company, and why")
    with open_published(settings, DEFAULT_TENANT) as connection:
        show_unresolved(console, read_unresolved(connection, limit=12))
        calls = read_calls(connection, ending.summary.run_id)
    _headline(console, f"What Slack received (message {len(sandbox.team.messages)} of this demo)")
    show_message(console, ending)
    _headline(console, "Calls of the second sync, by endpoint")
    show_calls(console, calls, floor=ending.floor)
    console.print(Text(f"published database: {ending.published}"), soft_wrap=True)


def _headline(console: Console, title: str) -> None:
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left"))


def wait_for_interrupt(console: Console, environment: Mapping[str, str]) -> None:
    """Show the variables to export and wait for an interrupt."""
    sys.stdout.write("".join(f"export {name}='{value}'\n" for name, value in sorted(environment.items())))
    sys.stdout.flush()
    console.print(Text("The sandbox is running; Ctrl-C stops it."))
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print(Text("stopped"))
