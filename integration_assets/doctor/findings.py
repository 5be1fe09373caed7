"""Findings of the checks, as a struct, as JSON and as a table; and the exit code all of them amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integration_assets import __version__
from integration_assets.errors import (
    EXIT_USAGE,
    ConfigurationError,
    ContractError,
    CredentialError,
    IntegrationError,
    TransientError,
)


class Verdict(StrEnum):
    """End of one check, from best to worst. `skipped`: what it looks at is not configured, and need not be.

    `unknown`: it could not be carried out, and it says why.
    """

    OK = "ok"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    WARN = "warn"
    FAIL = "fail"


class CheckOutcome(msgspec.Struct, frozen=True):
    """Outcome of one look, and what to do about it. `usage`: a setting is missing or wrong."""

    verdict: Verdict
    seen: str
    fix: str = ""
    usage: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One of the 28 checks: what was seen, why it matters, and the one thing to do when it is not ok."""

    number: int
    check: str
    verdict: Verdict
    seen: str
    why: str
    fix: str = ""
    usage: bool = False


def ok(seen: str) -> CheckOutcome:
    """All is well."""
    return CheckOutcome(Verdict.OK, seen)


def skipped(seen: str) -> CheckOutcome:
    """There is nothing to look at: it is not configured, which is no fault."""
    return CheckOutcome(Verdict.SKIPPED, seen)


def warn(seen: str, fix: str) -> CheckOutcome:
    """A run gets through, and somebody should look."""
    return CheckOutcome(Verdict.WARN, seen, fix)


def fail(seen: str, fix: str, *, usage: bool = False) -> CheckOutcome:
    """A run does not get through, or must not."""
    return CheckOutcome(Verdict.FAIL, seen, fix, usage)


def unknown(seen: str, fix: str = "") -> CheckOutcome:
    """It could not be seen."""
    return CheckOutcome(Verdict.UNKNOWN, seen, fix)


def failed(error: IntegrationError, fix: str, consequence: str = "") -> CheckOutcome:
    """Turn an error into the outcome of the check that met it."""
    # Only wrong configuration is exit code 2: a system that is down is no mistake of whoever typed the command.
    return fail(f"{error.message}{consequence}", fix, usage=isinstance(error, ConfigurationError))


def worst_of(looks: Sequence[CheckOutcome]) -> CheckOutcome:
    """Several looks as one: the worst verdict, and everything seen that has it, with the remedies, each once."""
    order = list(Verdict)
    worst = max((look.verdict for look in looks), key=order.index)
    # What is fine beside a failure would bury it.
    those = [look for look in looks if look.verdict is worst]
    return CheckOutcome(
        worst,
        "; ".join(dict.fromkeys(look.seen for look in those)),
        "; then ".join(dict.fromkeys(look.fix for look in those if look.fix)),
        any(look.usage for look in those),
    )


AS_TOLD = "do what the message says, then run the doctor again"
"""Remedy where the message of an error says all there is to do."""


def advice(error: IntegrationError, replace: str) -> str:
    """Say what to do about an error a system answered with; `replace` is what gives it another credential."""
    # Another credential is the only remedy, and only the check knows which and where.
    if isinstance(error, CredentialError):
        return replace
    if isinstance(error, ContractError):
        return "the system has changed: look for a newer version of integration-assets"
    if isinstance(error, TransientError):
        return "check the network, then run the doctor again"
    return AS_TOLD


CREDENTIALS = frozenset({"encryption key", "feedback key", "CRM token", "Slack"})
"""Checks that try a credential: what nobody could try must not pass for one that works."""


def untried(findings: Iterable[Finding]) -> list[str]:
    """Names of the credentials that could not be tried."""
    return [one.check for one in findings if one.verdict is Verdict.UNKNOWN and one.check in CREDENTIALS]


def exit_code(findings: Sequence[Finding]) -> int:
    """0 when nothing failed and every credential was tried, 2 when configuration is why something failed, else 1."""
    bad = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if any(finding.usage for finding in bad):
        return EXIT_USAGE
    # A warning stays 0, so that a script can run the doctor before a sync without being stopped by advice.
    return 1 if bad or untried(findings) else 0


def to_json(findings: Sequence[Finding]) -> bytes:
    """`{"version":1,"product":…,"findings":[{"number":…,"check":…,"verdict":…,"seen":…,"why":…,"fix":…}]}`."""
    return msgspec.json.encode({"version": 1, "product": __version__, "findings": findings})


_STYLES = {
    Verdict.OK: "green",
    Verdict.SKIPPED: "dim",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "cyan",
}


def show(findings: Sequence[Finding], console: Console) -> None:
    """A table for people: what is ok in one line, all else with why it matters and the remedy."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        lines = [finding.seen]
        if finding.verdict in (Verdict.WARN, Verdict.FAIL):
            lines.append(f"why: {finding.why}")
        if finding.fix:
            lines.append(f"→ {finding.fix}")
        verdict = Text(finding.verdict.value, style=_STYLES[finding.verdict])
        table.add_row(verdict, str(finding.number), finding.check, Text("\n".join(lines)))
    console.print(table)
    if names := untried(findings):
        console.print(Text(f"{', '.join(names)}: could not be tried, which is no success", style="bold red"))
