"""Help as people read it: commands in the order of use, no line cut, examples that parse, completion."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.commands.help import ORDER
from integration_assets_tests.support.loaded_packages import NEVER_TO_SHOW, packages_loaded_by

ROOT: Any = typer.main.get_command(app)
NARROW = 80
"""Columns of the narrowest terminal that help is written for."""


def groups(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group by the words that lead to it."""
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from groups(one, (*path, name))


COMMANDS = dict(groups(ROOT))


def test_commands_are_listed_in_the_order_of_use() -> None:
    """Each has its place in the list, and no other name is in it."""
    assert tuple(ROOT.list_commands(ROOT.context_class(ROOT))) == ORDER


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_line_of_a_list_of_commands_is_cut(path: tuple[str, ...]) -> None:
    """On the narrowest terminal every command is described by a whole sentence."""
    shown = CliRunner().invoke(app, [*path, "--help"], terminal_width=NARROW)
    assert shown.exit_code == 0
    assert "..." not in shown.output.replace("[OPTIONS] COMMAND [ARGS]...", "").replace("[COMMAND]...", "").replace(
        "{FILE}...", ""
    )


@pytest.mark.parametrize("path", [path for path in COMMANDS if len(path) < 2], ids=" ".join)
def test_examples_are_commands_as_they_parse(path: tuple[str, ...]) -> None:
    """Each example of the help is a command of ours with options that exist."""
    command = COMMANDS[path]
    lines = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    assert lines
    for line in lines:
        program, *words = shlex.split(line.split(" -- ")[0].split(" > ")[0])
        assert program == "integration-assets"
        assert path in {(), (words[0],)}
        known = max((one for one in COMMANDS if list(one) == words[: len(one)]), key=len)
        COMMANDS[known].make_context(known[-1], words[len(known) :], parent=ROOT.context_class(ROOT))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_the_usual_shells(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of a shell names the program and asks it."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = CliRunner().invoke(app, ["--show-completion", shell], prog_name="integration-assets")
    assert shown.exit_code == 0
    assert "_INTEGRATION_ASSETS_COMPLETE" in shown.output


def test_help_loads_nothing_that_runs_need(tmp_path: Path) -> None:
    """Not even the database: help is asked for often, and every package costs it a part of its fifth of a second."""
    loaded = packages_loaded_by("--help", environment={**os.environ, "INTEGRATION_ASSETS_HOME": str(tmp_path)})
    assert not loaded & {*NEVER_TO_SHOW, "asyncio", "duckdb", "pydantic", "rich"}
