"""Where faults begin: a few worlds, each made once in a process and copied for every fault.

- `new`: nothing was done yet; the portals lag as real ones do.
- `ready`: the small world after `setup`.
- `synced`: after its first sync, with values and labels of other people on our records.
- `hundred`: `ready` with 95 more requests, so that records fill a batch of HubSpot's.
- `hundred synced`: after its first sync.

Keys and tokens are sentinels: text that stands nowhere else, so that it can be looked for everywhere.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Literal, Self

from integration_assets.sandbox.canny.records import Post, slug
from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets_tests.support.harness import NAMES, OBJECT, World, world_of
from integration_assets_tests.support.small_world import MINUTE, START, small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder, kept

Start = Literal["new", "ready", "synced", "hundred", "hundred synced"]

SENTINELS = {
    "Canny key": "cnny+S3NT1NEL/k3y-of-the-workspace==",
    "sandbox token": "pat-na1-S3NT1NEL-sandbox+7f3a/91c0",
    "production token": "pat-na1-S3NT1NEL-production+2b8d/44e6",
    "Slack token": "xoxb-S3NT1NEL-slack-58290017-aQx",
}
"""What each secret of a world is. Base64 and URL encoding both change the first three."""
FOREIGN_PROPERTY = "team_note"
FOREIGN_LABEL = "Sponsor"
"""A property and a label on our object that somebody else made."""
MANY = 95
"""Requests that `hundred` has beside the five of the small world."""


class Starts:
    """The worlds of this process, made when first asked for. Close to remove their homes."""

    def __init__(self) -> None:
        self._made: dict[Start, Snapshot] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def copy(self, start: Start) -> AbstractContextManager[World]:
        """A world of one's own that goes on from there."""
        return copy_of(self._snapshot(start))

    def _snapshot(self, start: Start) -> Snapshot:
        if start not in self._made:
            self._made[start] = self._make(start)
        return self._made[start]

    def _make(self, start: Start) -> Snapshot:
        home = self._stack.enter_context(folder())
        if start == "new":
            return Snapshot(_with_sentinels(build_sandbox(small_world().sample, plan=None, slack_interval=0)), home)
        if start in ("ready", "hundred"):
            sample = small_world().sample
            if start == "hundred":
                add_requests(sample, MANY)
            sandbox = build_sandbox(sample, plan=None, slack_interval=0, portal_options=PROMPT)
            with world_of(_with_sentinels(sandbox), home) as world:
                world.set_up()
                _others_define(world)
            return Snapshot(sandbox, home)
        with copy_of(self._snapshot("hundred" if start == "hundred synced" else "ready")) as world:
            world.sync()
            _others_use(world)
            world.forget_requests()
            world.sandbox.team.messages.clear()
            return kept(world, home)


def _with_sentinels(sandbox: Sandbox) -> Sandbox:
    sandbox.sample.workspace.api_key = SENTINELS["Canny key"]
    sandbox.sandbox.portal.token = SENTINELS["sandbox token"]
    sandbox.production.portal.token = SENTINELS["production token"]
    sandbox.team.token = SENTINELS["Slack token"]
    return sandbox


def add_requests(sample: SampleData, number_of_them: int) -> None:
    """More requests with two voters each: the same ones in every world."""
    workspace = sample.workspace
    board = workspace.posts[NAMES.requests["dark mode"]].board_id
    for number in range(number_of_them):
        made = START + (1_000 + number) * MINUTE
        title = f"Wish {number:02}"
        post = Post(workspace.new_id(made), board, title, made, slug(title), NAMES.people["gus"])
        workspace.add_post(post)
        for place, voter in enumerate(("ann", "gus")):
            workspace.vote(post.id, NAMES.people[voter], created=made + place + 1)


def _others_define(world: World) -> None:
    world.portal.define_property(OBJECT, {"name": FOREIGN_PROPERTY, "label": "Team note"})
    world.portal.define_label(OBJECT, "companies", "sponsor", FOREIGN_LABEL, "Sponsors")


def _others_use(world: World) -> None:
    """A person notes something on two of our records, and labels a pair that carries our label too."""
    portal, record_id, company_id = world.portal, world.record_id("dark mode"), world.company("Acme")
    for name in ("dark mode", "csv export"):
        world.edit_record(name, **{FOREIGN_PROPERTY: f"Ask the customer of {name}"})
    pair = portal.object_type(OBJECT).name, "companies"
    sponsor = next(one.key for one in portal.types.of(pair) if one.label == FOREIGN_LABEL)
    ours = portal.links.of(pair, int(record_id))[int(company_id)]
    portal.associate(OBJECT, record_id, "companies", company_id, [*ours, sponsor])
