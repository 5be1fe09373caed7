"""Parts that commands share: options, settings, asking, secrets from a prompt or stdin and never from argv."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from integration_assets.config import Settings
    from integration_assets.tenants.registry.audit import Actor
    from integration_assets.tenants.registry.database import Registry

DEFAULT = "default"
KEY_BEGINS, KEY_ENDS = "-----BEGIN", "-----END"
"""Of the first and the last line of a private key (RFC 7468)."""


class EnvironmentName(StrEnum):
    """The two environments, as an option."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


Tenant = Annotated[
    str,
    typer.Option("--tenant", help="Tenant to work on; `default` reads the environment variables if not registered."),
]
Environment = Annotated[
    EnvironmentName | None,
    typer.Option(
        "--environment", help="CRM portal to work with; default INTEGRATION_ASSETS_ENVIRONMENT, else sandbox."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def settings_of(environment: EnvironmentName | None = None) -> Settings:
    """The operator's settings. Variables that look like settings and are none are told."""
    from integration_assets.config import load_settings
    from integration_assets.unread_variables import unread_variables

    # Before they are read: a misspelt name may be why another setting is found missing.
    for line in unread_variables(os.environ):
        say(line)
    return load_settings(**({"environment": environment.value} if environment else {}))


@contextmanager
def naming_the_other() -> Iterator[None]:
    """Tell the operator which tenant keeps records in a portal already; a tenant's own pages do not."""
    from integration_assets.errors import ConfigurationError
    from integration_assets.tenants.registry.changes import SharedPortalError

    try:
        yield
    except SharedPortalError as error:
        # Only here: on the pages it would tell a tenant that another one exists.
        raise ConfigurationError(f"{error.message} (tenant {error.tenant} keeps them)") from None


def settings_of_tenant(environment: EnvironmentName | None, tenant: str, command: str) -> Settings:
    """The settings of a command that asks the tenant's systems itself."""
    from integration_assets.tenants.settings import settings_for

    return settings_for(settings_of(environment), tenant, f"command line ({command})")


def results_console() -> Console:
    """The console for results."""
    from integration_assets.reporting.terminal import console

    return console()


def ask(question: str, option: str) -> bool:
    """Ask on a terminal.

    Raises:
        ConfigurationError: there is none to ask on.
    """
    from integration_assets.errors import ConfigurationError

    # A pipe would answer for a person; scripts have to say the option.
    if not sys.stdin.isatty():
        raise ConfigurationError(f"nothing was done: without a terminal to ask on, say {option}")
    return typer.confirm(question)


def say(line: str) -> None:
    """One line about what went wrong, on stderr."""
    from integration_assets.connectors.redaction import redact

    # The last way out for every error: whatever got into its text, no secret leaves here.
    sys.stderr.write(f"integration-assets: {redact(line)}\n")


def check_file(path: Path | None) -> None:
    """See that a result can be written to this file later, before the work that leads to it begins.

    Raises:
        ConfigurationError: it cannot.
    """
    from integration_assets.errors import ConfigurationError

    if path is None:
        return
    # Before the work, since a run of an hour must not end with a result that cannot be kept.
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder: name a file")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigurationError(f"{path} cannot be written: no permission")


def keep_file(path: Path, write: Callable[[], object]) -> None:
    """Write a result beside the one on stdout. A failure is said; how the work ended it does not change."""
    from integration_assets.errors import IntegrationError

    try:
        write()
    # The run has ended as it did; the exit code must go on saying how.
    except IntegrationError as error:
        say(error.message)
    except OSError as error:
        say(f"{path} could not be written: {error.strerror}")


def confidential(what: str, *, multiline: bool = False) -> str:
    """A secret: typed unseen on a terminal, else the first line of stdin.

    With `multiline` it may be a private key, which is read from stdin to its last line.

    Raises:
        ConfigurationError: nothing was given, or a private key at a prompt.
    """
    from integration_assets.connectors.redaction import register
    from integration_assets.errors import ConfigurationError
    from integration_assets.pasted import unwrapped

    typed = sys.stdin.isatty()
    # Never an argument: the list of processes and the shell's history would keep it.
    value = getpass.getpass(f"{what}: ") if typed else sys.stdin.readline().rstrip("\r\n")
    if multiline and value.lstrip().startswith(KEY_BEGINS) and KEY_ENDS not in value:
        # A prompt forgets what is pasted behind the first line, or leaves it to the shell.
        if typed:
            raise ConfigurationError("a private key has more lines than a prompt takes: give its file, by `< FILE`")
        for line in sys.stdin:
            value += "\n" + line.rstrip("\r\n")
            if KEY_ENDS in line:
                break
    if not value:
        raise ConfigurationError(f"no {what} was given: type it at the prompt, or write it to stdin")
    # Also as it was typed, with its quotes or blanks: an error may quote either.
    for spelling in {value, unwrapped(value)}:
        register(spelling)
    return value


def actor() -> Actor:
    """Name the actor as the audit trail does."""
    from integration_assets.tenants.registry.audit import Actor

    return Actor(f"command line ({getpass.getuser()})")


@contextmanager
def existing_registry(settings: Settings) -> Iterator[Registry]:
    """The registry for the length of a block.

    Raises:
        ConfigurationError: there is none yet.
    """
    from integration_assets.errors import ConfigurationError
    from integration_assets.tenants.registry.database import registry

    with registry(settings) as opened:
        if opened is None:
            raise ConfigurationError("there is no registry yet: `integration-assets tenants add` makes one")
        yield opened
