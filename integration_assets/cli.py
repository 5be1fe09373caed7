"""The command `integration-assets`. Commands only: each parses its options, calls one function and shows the result.

Results go to stdout, progress and errors to stderr. Exit codes: 0 succeeded, 1 failed, 2 wrong usage or configuration,
3 held, 75 run again later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from integration_assets import __version__
from integration_assets.commands import assistant, backups, forget, keys, overrides, reports, serve, table, tenants
from integration_assets.commands.help import CommandsInOrder, examples
from integration_assets.commands.shared import (
    DEFAULT,
    Environment,
    Tenant,
    ask,
    check_file,
    keep_file,
    results_console,
    say,
    settings_of,
    settings_of_tenant,
)
from integration_assets.connectors.specs import ProviderKind
from integration_assets.providers import of_kind, usual

if TYPE_CHECKING:
    from integration_assets.config import LogLevel, Settings
    from integration_assets.runs.result import RunResult
    from integration_assets.runs.state import Mode


class DemoObject(StrEnum):
    """Objects of the demo's CRM that can hold the records."""

    CUSTOM = "custom"
    SERVICES = "services"
    PROJECTS = "projects"
    TICKETS = "tickets"


app = typer.Typer(
    name="integration-assets",
    cls=CommandsInOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which feature requests did this customer make, and which matter most, by companies and by revenue?",
    epilog=examples("demo", "doctor", "plan", "rankings --by companies"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(table.app, name="table")
app.add_typer(overrides.app, name="overrides")
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.command(
    "serve",
    short_help="Serve the pages, and the tenants' API.",
    epilog=examples("serve", "serve --origin https://requests.acme.example --proxy 10.0.0.5"),
)(serve.serve)
app.command(
    "rankings",
    short_help="Show open requests by rank, or what moved.",
    epilog=examples(
        "rankings",
        "rankings --by companies --limit 50",
        "rankings --board Web --voted-since 90d --xlsx web.xlsx",
        "rankings --company acme.example",
        "rankings --since 7d",
        "rankings --as-of 2026-11-01",
    ),
)(reports.rankings)
app.command(
    "shipped",
    short_help="Show what shipped lately, and who waited for it.",
    epilog=examples("shipped", "shipped --since 2026-11-01"),
)(reports.shipped)
app.command(
    "report",
    short_help="Show what a run did.",
    epilog=examples("report", "report --html report.html", "report --run 3f2a"),
)(reports.report)
app.command(
    "mcp",
    short_help="Let an assistant ask about the ranking, read-only.",
    epilog=examples("mcp", "mcp --tenant acme --environment production"),
)(assistant.mcp)
app.command(
    "backup",
    short_help="Copy everything that is kept into one file.",
    epilog=examples("backup backup.tar.gz", "backup --encrypt backup.tar.gz.sealed"),
)(backups.backup)
app.command(
    "restore",
    short_help="Put a backup back.",
    epilog=examples("restore backup.tar.gz", "restore backup.tar.gz --yes"),
)(backups.restore)
app.command(
    "forget",
    short_help="Take a person out of everything that is kept here.",
    epilog=examples("forget", "forget - --yes", "forget --tenant acme --environment production"),
)(forget.forget)


FullRead = Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result as JSON to this file.")]
INTERRUPTED = 130
"""Exit code typer makes of a KeyboardInterrupt."""


def main() -> None:
    """Entry point: run a command; every error raised on purpose is one line and its exit code."""
    import signal

    from integration_assets.absent_modules import remember_what_is_absent
    from integration_assets.commands.streams import settle_streams
    from integration_assets.errors import IntegrationError
    from integration_assets.garbage import search_rarely

    search_rarely()
    remember_what_is_absent()
    settle_streams()
    # A supervisor's SIGTERM ends a command as Ctrl-C does: connections are closed, the run is noted as interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except IntegrationError as error:
        _fail(error)
    except SystemExit as ending:
        if ending.code != INTERRUPTED:
            raise
        _end_interrupted()
    except Exception as error:
        from integration_assets.runs.interrupts import interruption_behind

        # What DuckDB makes of a signal while it works; all else is a bug, and keeps its stack trace.
        if interruption_behind(error) is None:
            raise
        _end_interrupted()


def _end_interrupted() -> NoReturn:
    from integration_assets.errors import EXIT_CODES, EndState

    # An interrupt is no usage error: the run stands where it can go on, and 75 tells a scheduler so.
    sys.stderr.write("integration-assets: interrupted; run it again, it goes on where it stands\n")
    raise SystemExit(EXIT_CODES[EndState.RETRY_LATER]) from None


def _fail(error: Exception) -> NoReturn:
    from integration_assets.errors import IntegrationError

    say(str(error))
    raise SystemExit(error.exit_code if isinstance(error, IntegrationError) else 1)


@contextmanager
def _progress() -> Iterator[None]:
    from rich.console import Console

    from integration_assets.reporting.progress import showing

    with showing(Console(stderr=True)):
        yield


SERVICES = frozenset({"serve", "dev"})
"""Commands that stay: nobody looks at their terminal all the time, so that their log tells more from the start."""


@app.callback(invoke_without_command=True)
def _options_of_all(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Log on stderr what is done; -vv: every call as well.",
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only, and show no progress.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    _begin_log(verbose, quiet=quiet, service=context.invoked_subcommand in SERVICES)


def _begin_log(verbose: int, *, quiet: bool, service: bool) -> None:
    from integration_assets.errors import ConfigurationError
    from integration_assets.logs import configure
    from integration_assets.trace_export import ensure_traced

    if quiet and verbose:
        raise ConfigurationError("--quiet and --verbose exclude each other")
    level: LogLevel | None = None
    if quiet:
        level = "error"
    elif verbose:
        level = "info" if verbose == 1 else "debug"
    configure(level, default="info" if service else "warning", shows_result=not service)
    ensure_traced()


@app.command(
    short_help="Run everything on embedded stand-ins, without an account.",
    epilog=examples("demo", "demo --keep", "demo --object services", "demo --feedback canny,table"),
)
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the sandbox servers running at the end.")] = False,
    crm: Annotated[
        str, typer.Option(help=f"CRM to stand in for: {', '.join(spec.name for spec in of_kind(ProviderKind.CRM))}.")
    ] = usual(ProviderKind.CRM).name,
    object_: Annotated[
        DemoObject,
        typer.Option("--object", help="Object that holds the records; all but custom: a smaller plan."),
    ] = DemoObject.CUSTOM,
    feedback: Annotated[
        str | None,
        typer.Option(
            "--feedback",
            help="Where requests and votes come from: "
            f"{', '.join(spec.name for spec in of_kind(ProviderKind.FEEDBACK))}. `table` reads them from files. "
            "Several with commas: `canny,table`.",
        ),
    ] = None,
) -> None:
    """Run everything on embedded stand-ins for the systems: setup, dry run, sync, and a second sync.

    The second sync finds nothing changed and writes nothing. Results are left in .integration_assets/demo.
    """
    from integration_assets.demo import run_demo

    kept_in = None if object_ is DemoObject.CUSTOM else object_.value
    raise SystemExit(run_demo(results_console(), keep=keep, crm=crm, kept_in=kept_in, feedback=feedback))


@app.command(
    short_help="Check keys, scopes, schema and machine. Writes nothing.",
    epilog=examples("doctor", "doctor --environment production --json doctor.json"),
)
def doctor(tenant: Tenant = DEFAULT, environment: Environment = None, json: JsonFile = None) -> None:
    """Check 28 things a run depends on, each for real, in at most 15 seconds. Writes nothing to any system."""
    import asyncio

    from integration_assets.doctor.examination import examine
    from integration_assets.doctor.findings import exit_code, show, to_json

    check_file(json)
    examined = asyncio.run(examine(settings_of(environment), tenant))
    if json:
        # Before the table: a closed pipe of the terminal must not cost the file.
        keep_file(json, lambda: json.write_bytes(to_json(examined.findings)))
    show(examined.findings, results_console())
    # After the table: the findings that need no secret are worth reading all the same.
    if examined.problem:
        say(examined.problem.message)
    raise SystemExit(exit_code(examined.findings))


@app.command(
    short_help="Create what the CRM portal lacks.",
    epilog=examples("setup", "setup --environment production --yes"),
)
def setup(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    yes: Annotated[bool, typer.Option("--yes", help="Create what is missing without asking.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write what an administrator can deploy by hand to this file, and create nothing."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Create what the CRM portal lacks: our object, its properties and link labels.

    To properties of ours it adds missing options and help texts, where the CRM takes them; nothing else that exists is
    changed. Shows what it would create, and asks.
    """
    import asyncio

    from integration_assets.tenants.portal_setup import file_to_deploy, set_up

    check_file(json)
    settings = settings_of_tenant(environment, tenant, "setup")
    if file is not None:
        content, lines = file_to_deploy(settings, file)
        keep_file(file, lambda: file.write_bytes(content))
        for line in lines:
            typer.echo(line)
        return

    def agreed(lines: list[str]) -> bool:
        for line in lines:
            typer.echo(f"  {line}")
        # Shown even with --yes: the log of a script has to say what was created.
        return yes or ask("Create this?", "--yes")

    with _progress():
        result = asyncio.run(set_up(settings, tenant, agreed))
    for line in result.lines:
        typer.echo(line)
    if json:
        keep_file(json, lambda: json.write_bytes(result.to_json()))


@app.command(
    short_help="Show what a sync would change. Writes nothing.",
    epilog=examples("plan", "plan --show 50", "plan --environment production --out plan.json --csv changes.csv"),
)
def plan(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    out: Annotated[Path | None, typer.Option("--out", help="Save the plan to this file.")] = None,
    show: Annotated[
        int | None, typer.Option("--show", min=1, help="List so many records with every field before and after.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every change of a field or a link to this file.")
    ] = None,
    full: FullRead = False,
    json: JsonFile = None,
) -> None:
    """Read, rank and show what a sync would change. Writes nothing into the CRM."""
    from integration_assets.runs.state import Mode

    _run(settings_of(environment), Mode.DRY_RUN, tenant=tenant, json=json, out=out, full=full, show=show, csv=csv)


@app.command(
    short_help="Read, rank, plan, write, verify, report.",
    epilog=examples(
        "sync",
        "sync --read-only",
        "sync --environment production --json result.json",
        "sync --plan plan.json --approve 3f2a9c",
    ),
)
def sync(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Rank and publish; plan and write nothing.")] = False,
    plan: Annotated[Path | None, typer.Option("--plan", help="Apply the plan saved in this file.")] = None,
    approve: Annotated[str | None, typer.Option("--approve", help="Hash of that plan, as it was shown.")] = None,
    full: FullRead = False,
    json: JsonFile = None,
) -> None:
    """Read both systems, resolve votes, rank, check, plan, write into the CRM, read back, and report.

    A run that finds nothing changed writes nothing. A plan that looks wrong is held until it is approved.
    """
    from integration_assets.errors import ConfigurationError
    from integration_assets.runs.state import Mode

    if dry_run and read_only:
        raise ConfigurationError("--dry-run and --read-only exclude each other")
    # The file alone would apply whatever somebody put into it since; the hash alone names nothing.
    if (plan is None) != (approve is None):
        raise ConfigurationError("--plan FILE and --approve HASH go together: the hash says which plan you saw")
    if plan and (dry_run or read_only):
        raise ConfigurationError("--plan applies a plan: it goes with neither --dry-run nor --read-only")
    mode = Mode.DRY_RUN if dry_run else Mode.READ_ONLY if read_only else Mode.SYNC
    _run(settings_of(environment), mode, tenant=tenant, json=json, plan_file=plan, approved_hash=approve, full=full)


def _run(
    settings: Settings,
    mode: Mode,
    *,
    tenant: str,
    json: Path | None,
    out: Path | None = None,
    plan_file: Path | None = None,
    approved_hash: str | None = None,
    full: bool = False,
    show: int | None = None,
    csv: Path | None = None,
) -> NoReturn:
    from integration_assets.commands.run_output import show_result, show_saved_plan
    from integration_assets.definitions import defs
    from integration_assets.errors import EXIT_USAGE
    from integration_assets.garbage import keep_what_is_loaded
    from integration_assets.reporting.run_summary import write_json
    from integration_assets.runs.in_process import run_job
    from integration_assets.runs.state import Mode
    from integration_assets.tenants.settings import check_configured

    for file in (json, out, csv):
        check_file(file)
    # Before Dagster is loaded, which takes seconds: a missing variable is said at once.
    check_configured(settings, tenant, ranks_only=mode is Mode.READ_ONLY)
    keep_what_is_loaded()
    with _progress():
        ending = run_job(
            defs.resolve_job_def(mode.value),
            settings,
            mode,
            tenant=tenant,
            plan_file=plan_file,
            approved_hash=approved_hash,
            full_read=full,
        )
    # Nothing was read: a summary of zeros would bury the one line that helps.
    if ending.exit_code == EXIT_USAGE:
        raise _usage(ending.error)
    if json:
        keep_file(json, lambda: write_json(ending.summary, json))
    console = results_console()
    # The plan first: it is what was asked for, and the summary below it stays in view.
    if mode is Mode.DRY_RUN:
        show_saved_plan(console, settings, tenant, ending, out, show=show, csv=csv)
    show_result(console, ending)
    if ending.error and not (sys.stdout.isatty() and sys.stderr.isatty()):
        say(ending.error)  # once more where results and errors go to different places
    raise SystemExit(ending.exit_code)


def _usage(line: str | None) -> Exception:
    from integration_assets.errors import ConfigurationError

    return ConfigurationError(line or "wrong configuration")


@app.command(
    short_help="Release a held plan.",
    epilog=examples("approve 3f2a9c", "approve 3f2a9c --environment production --by ann"),
)
def approve(
    plan_hash: Annotated[
        str, typer.Argument(metavar="HASH", help="Hash of the held plan; its first 6 digits suffice.")
    ],
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    by: Annotated[str | None, typer.Option("--by", help="Who approves; default the user's login name.")] = None,
) -> None:
    """Release a held plan: the next sync applies it."""
    from integration_assets.tenants.plan_approval import approve_plan

    typer.echo(approve_plan(settings_of(environment), tenant, plan_hash, by))


@app.command(
    short_help="Restore what a run changed.",
    epilog=examples("undo last", "undo last --yes", "undo 3f2a --environment production"),
)
def undo(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of the run, its beginning, or `last`: the last run that wrote."),
    ],
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply it without asking.")] = False,
    json: JsonFile = None,
) -> None:
    """Restore what a run changed, where nobody changed it since. Shows the plan first.

    The next plan of that environment is held, so that a schedule does not write everything again.
    """
    from integration_assets.commands.run_output import show_result, show_undo
    from integration_assets.reporting.advice import for_whom
    from integration_assets.reporting.run_summary import write_json

    check_file(json)
    settings = settings_of(environment)
    ending = _undo(settings, tenant, run, apply=yes)
    console = results_console()
    changes = show_undo(console, settings, tenant, ending)
    # With the hash that was shown: if the CRM changed while the person read, the second run refuses it.
    if changes and not yes and sys.stdin.isatty() and typer.confirm("Undo this?"):
        ending = _undo(settings, tenant, run, apply=True, shown=ending.summary.plan.hash)
    if json:
        keep_file(json, lambda: write_json(ending.summary, json))
    show_result(console, ending)
    if changes and ending.summary.dry_run:
        command = f"integration-assets undo {run} {for_whom(tenant, settings.environment)} --yes"
        typer.echo(f"nothing was changed; to apply it: {command}")
    raise SystemExit(ending.exit_code)


def _undo(settings: Settings, tenant: str, run: str, *, apply: bool, shown: str | None = None) -> RunResult:
    from integration_assets.definitions import defs
    from integration_assets.errors import EXIT_USAGE
    from integration_assets.runs.in_process import run_job
    from integration_assets.runs.state import Mode

    mode = Mode.UNDO if apply else Mode.UNDO_PLAN
    with _progress():
        ending = run_job(
            defs.resolve_job_def(mode.value), settings, mode, tenant=tenant, approved_hash=shown, undo_run=run
        )
    if ending.exit_code == EXIT_USAGE:
        raise _usage(ending.error)
    return ending


@app.command(
    short_help="Serve the embedded stand-ins alone.",
    epilog=examples("sandbox --port 9000", "sandbox --setup -- integration-assets sync"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", help="First of five ports in a row; 0 takes free ones.")] = 0,
    with_setup: Annotated[bool, typer.Option("--setup", help="Set the sandbox portal up first.")] = False,
) -> None:
    """Serve stand-ins for a feedback system, two CRM portals, Slack and a billing system, on loopback.

    With a command behind `--`, run it with the variables that point the product at them, and stop when it ends.
    """
    from integration_assets.dev import run_sandbox

    raise SystemExit(run_sandbox(context.args, port=port, with_setup=with_setup))


@app.command(short_help="Serve the Dagster UI and its daemon.", epilog=examples("dev", "dev --port 3001"))
def dev(port: Annotated[int, typer.Option("--port", help="Port of the UI on 127.0.0.1.")] = 3000) -> None:
    """Serve the Dagster UI and its daemon on 127.0.0.1. Without a feedback system's key, on the embedded stand-ins."""
    from integration_assets.dev import run_dev

    try:
        code = run_dev(port)
    # Told to stop while the stand-ins were still being set up: a good end of a service, as later on.
    except KeyboardInterrupt:
        code = 0
    raise SystemExit(code)


if __name__ == "__main__":
    main()
