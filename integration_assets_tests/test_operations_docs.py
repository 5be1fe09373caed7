"""Every command on the operations pages does what the page says, in order, with the exit code it names."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import World, copied, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, folder

pytestmark = pytest.mark.proof  # every page from its first command to its last: part of `make proofs`

PAGES = Path(__file__).parents[1] / "docs" / "operations"
PROGRAM = "integration-assets"
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.+?)(?:\s+# ends (\d+))?$")
_HASH = re.compile(r"\bplan +([0-9a-f]{12,64})\b")


@dataclass
class Command:
    """A line of a page, and the exit code it ends with."""

    line: str
    ends: int


def commands_of(page: str) -> list[Command]:
    """The commands of a page, in order."""
    found = []
    for block in _BLOCK.findall((PAGES / page).read_text(encoding="utf-8")):
        for line in block.splitlines():
            match = _COMMAND.match(line)
            assert match, f"{page}: not a command: {line}"
            found.append(Command(match[1], int(match[2] or 0)))
    return found


@dataclass
class Reader:
    """Somebody who types what a page says. `secrets` are what `…` stands for, by variable."""

    world: World
    secrets: dict[str, str] = field(default_factory=dict)
    shown_hash: str = ""
    first_home: int = 0

    def __post_init__(self) -> None:
        self.first_home = self.world.home.stat().st_ino

    @property
    def moved(self) -> bool:
        """Whether the home is another folder by now."""
        return self.world.home.stat().st_ino != self.first_home

    def type(self, command: Command) -> str:
        """Carry out one line; the exit code must be the one that is said. Returns what it printed."""
        line = command.line.replace("HASH", self.shown_hash)
        if match := re.fullmatch(r"export (\w+)=…", line):
            self.world.extra[match[1]] = self.secrets[match[1]]
            return ""
        if not line.startswith(PROGRAM):
            subprocess.run(line, shell=True, check=True, cwd=self.world.home.parent)
            return ""
        arguments = [
            str(self.world.home.parent / one) if one.endswith((".html", ".json")) else one
            for one in shlex.split(line)[1:]
        ]
        # A home that was put away and made anew is a new installation: what a process remembers of the old one is not.
        ran = self.world.finish(self.world.start(*arguments)) if self.moved else self.world.run(*arguments)
        assert ran.code == command.ends, f"{line}: ended {ran.code}, not {command.ends}\n{ran.out}{ran.err}"
        if hashes := _HASH.findall(ran.out):
            self.shown_hash = hashes[0][:12]
        return ran.out


@pytest.fixture(scope="module")
def both_snapshot() -> Iterator[Snapshot]:
    """The small world, synced into the sandbox; production knows nothing of it."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        world.sync()
        yield Snapshot(sandbox, home)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that no run has seen, in a folder of its own."""
    with folder() as project, records_in_memory():
        yield project / ".integration_assets"


@pytest.fixture
def world(both_snapshot: Snapshot) -> Iterator[World]:
    """A copy of it, whose home lies in a folder of its own, as `.integration_assets` in a project.

    Dagster's own records, which no page is about, are kept in memory: that is a third quicker.
    """
    with folder() as project, records_in_memory():
        home = project / ".integration_assets"
        subprocess.run(["cp", "-a", str(both_snapshot.home), str(home)], check=True)
        (home / "overrides.csv").write_text("match,company_id,note\n", encoding="utf-8")
        with world_of(copied(both_snapshot.sandbox), home) as made:
            yield made


def first_production_run(world: World) -> dict[str, str]:
    known = world.addresses.environment()
    world.extra["HUBSPOT_PRODUCTION_TOKEN"] = ""
    return {
        "HUBSPOT_PRODUCTION_TOKEN": known["HUBSPOT_PRODUCTION_TOKEN"],
        "HUBSPOT_PRODUCTION_PORTAL_ID": str(world.seeded("production").portal.portal_id),
    }


def schema_lacks_a_property(world: World) -> dict[str, str]:
    """Production has been synced; then both portals lose a property, as if a new version asked for one more."""
    world.set_up("production")
    _release(world, "production")
    for environment in ("sandbox", "production"):
        one = world.seeded(environment).portal.object_type("feature_request")
        del one.properties["category"]
    return {}


def after_an_undo(world: World) -> dict[str, str]:
    assert world.run("undo", "last", "--yes").code == 0
    return {}


def key_is_refused(world: World) -> dict[str, str]:
    world.canny.api_key = "the-new-key"
    return {"CANNY_API_KEY": "the-new-key"}


def nothing_special(_world: World) -> dict[str, str]:
    return {}


def _release(world: World, environment: str) -> None:
    held = world.run("sync", "--environment", environment, json_file=True)
    assert held.code == 3, held.out
    assert world.run("approve", held.summary["plan"]["hash"][:12], "--environment", environment).code == 0
    assert world.run("sync", "--environment", environment).code == 0


SITUATIONS: dict[str, Callable[[World], dict[str, str]]] = {
    "first-production-run.md": first_production_run,
    "promote-a-schema.md": schema_lacks_a_property,
    "held-plan.md": after_an_undo,
    "expired-key.md": key_is_refused,
    "restore-from-nothing.md": nothing_special,
    "upgrade.md": nothing_special,
    "logs.md": nothing_special,
}


def test_every_page_is_listed_and_tried():
    """Each page is in the list, and those with commands to follow are followed here."""
    pages = {path.name for path in PAGES.glob("*.md")} - {"README.md"}
    assert {page for page in pages if commands_of(page)} == SITUATIONS.keys()
    listed = re.findall(
        r"^- \[.+?\]\((.+?)\)(?:: .+)?$", (PAGES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(listed) == pages


def test_pages_link_to_pages():
    """No link leads nowhere."""
    for path in PAGES.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+?\.md)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), f"{path.name}: {target}"


@pytest.mark.parametrize("page", sorted(SITUATIONS.keys() - {"restore-from-nothing.md"}))
def test_the_commands_of_a_page(page: str, world: World):
    """They end as the page says."""
    reader = Reader(world, SITUATIONS[page](world))
    for command in commands_of(page):
        reader.type(command)


def test_a_held_plan_in_a_home_where_nothing_was_published(home: Path):
    """The first run of all is held by a check, before there is a ranking: the page leads out of it all the same."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with world_of(sandbox, home) as world:
        world.set_up()
        world.set_up("production")
        untitled = [world.add_request("").removeprefix("canny:") for _ in range(11)]
        world.extra["INTEGRATION_ASSETS_ENVIRONMENT"] = "production"
        reader = Reader(world)
        held, report, *meant = commands_of("held-plan.md")
        reader.type(held)
        assert not (world.home / "published").exists()
        shown = reader.type(report)
        assert "11 of 16 requests quarantined" in shown
        assert any(one in shown for one in untitled)
        assert "11 of 16 requests quarantined" in (world.home.parent / "held.html").read_text(encoding="utf-8")
        for one in untitled:  # mend the cause
            world.canny.posts[one].title = f"Request {one}"
        world.canny.version += 1
        for command in meant:
            reader.type(command)
        assert len(world.in_crm("production").records) == 16


def test_what_was_lost_is_not_written_again(world: World):
    """The page on a restore from nothing: plan and sync find all records by their keys and write nothing."""
    world.forget_requests()
    before = world.in_crm().records
    reader = Reader(world)
    shown = [reader.type(command) for command in commands_of("restore-from-nothing.md")]
    assert any("0 changes" in text for text in shown)
    assert world.writes() == []
    assert world.in_crm().records == before
