"""The installations that the pictures are of: several tenants with logins, and one alone at its own machine.

`acme` has synced, has planned again since, and has a held plan for production; `globex` has nothing yet; `initech` maps
a table of its own. The machine of one's own holds what `integration-assets demo` leaves.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from integration_assets.config import Environment, load_settings
from integration_assets.reporting.result_files import kept_endings
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets.staging.publishing import published_path
from integration_assets.tenants.integrations import TENANTS_FILES
from integration_assets.tenants.registry.changes import NewInternal
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets.web.one_time_link import OneTimeLink
from integration_assets.web.site import Site
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import PREFIXES, World, world_of
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.pictures.terminal import Typed
from integration_assets_tests.support.registries import ACTOR, opened, tenant_id
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, folder
from integration_assets_tests.support.web_site import add_user, served

ADMIN, NEWCOMER, MAPPER, OPERATOR = "ann@acme.example", "gus@globex.example", "ian@initech.example", "olga"
CHANGE = ("tenants", "integrations", "change", "acme", "hubspot", "--environment", "sandbox")
UI_DOMAIN = "app.hubspot.example"
DEMO = Path(".integration_assets") / "demo"
BUILD = "integration_assets.demo.build_sandbox"
WIDE, NARROW = 170, 54
"""Columns of a terminal at 1440 and at 390 pixels."""
TYPED = (
    "rankings --by companies --limit 8",
    "rankings --company {company}",
    "shipped --since 365d",
    "plan --show 4",
    "doctor",
)
"""Commands of the session, on the machine of one's own."""

Sample = Callable[[], SampleData]


@dataclass
class Seen:
    """What is served, with ids of what is looked at, and what was printed and posted."""

    made: Installation
    site: Site
    local: Site
    local_home: Path
    local_link: str
    password_link: str
    request: str
    merged: str
    company: str
    domain: str
    runs: Mapping[str, str]
    """Ids of acme's runs: `sync`, `failed` and `plan` in the sandbox, the `held` one in production."""
    local_run: str
    integrations: Mapping[str, str]
    """Ids of acme's integrations by provider, and of the internal system."""
    reports: Mapping[str, Path]
    messages: list[dict[str, Any]]
    sessions: Mapping[int, list[Typed]]
    """What was typed and printed, by the width of the terminal in columns."""


@contextlib.contextmanager
def seen_installations(sample: Sample) -> Iterator[Seen]:
    """Everything that pictures are taken of, from fresh copies of this sample data; gone afterwards."""
    with ExitStack() as stack:
        stack.enter_context(records_in_memory())
        home, own = stack.enter_context(folder()), stack.enter_context(folder())
        sandbox = _sandbox(sample())
        world = stack.enter_context(world_of(sandbox, home))
        other = stack.enter_context(world_of(_sandbox(small_world().sample), home))
        made = Installation(home, {"acme": world, "globex": other})
        made.register("acme")
        made.good(*CHANGE, "--set=segment_properties=lifecyclestage")
        for tenant in ("globex", "initech"):
            made.good("tenants", "add", tenant)
        hosts = made.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        stack.enter_context(mock.patch.dict(os.environ, clean, clear=True))
        settings = load_settings(home=home, key=made.key, allowed_hosts=hosts)
        registry = opened(settings)
        stack.callback(registry.close)
        for login, its in ((ADMIN, "acme"), (NEWCOMER, "globex"), (MAPPER, "initech"), (OPERATOR, None)):
            add_user(registry, login, its)
        _add_billing(registry, world)
        _add_files(home / TENANTS_FILES / "initech")
        runs = _run_all(made)
        local, sessions = _demo(sample, own)
        link = OneTimeLink(datetime.now(UTC))
        with directory(registry, ACTOR) as users:
            token = users.make_password_link(NEWCOMER)
        with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
            integrations = {one.provider.value: one.id for one in repository.third_party_integrations()}
            [system] = repository.internal_integrations()
        reports = sorted((home / "reports" / "sandbox" / "acme").glob("*.html"))
        yield Seen(
            made,
            stack.enter_context(served(settings, registry)),
            stack.enter_context(served(load_settings(home=local), link)),
            local,
            f"/open#{link.token}",
            f"/password#{token}",
            **_ids(home),
            runs=runs,
            local_run=_last_run(local, "default", "sandbox"),
            integrations={**integrations, "internal": system.id},
            reports={name: next(one for one in reports if runs[name] in one.name) for name in ("sync", "plan")},
            messages=sandbox.team.messages,
            sessions=sessions,
        )


def _sandbox(sample: SampleData, **asked: Any) -> Sandbox:
    options = replace(PROMPT, ui_domain=UI_DOMAIN)
    return build_sandbox(sample, plan=None, slack_interval=0, portal_options=options, **asked)


def _add_billing(registry: Registry, world: World) -> None:
    """Add acme's billing system, mapped and with its secret."""
    base, billing = world.addresses.internal_base_url, world.sandbox.billing
    system = NewInternal(
        name="Billing",
        base_url=base,
        auth_flow=AuthFlow.OAUTH2,
        auth={"token_url": f"{base}/oauth/token", "client_id": billing.client_id},
        secret=billing.client_secret,
        endpoints=[{"path": "/v1/accounts", "items": "data", "paging": "page", "size_param": "per_page"}],
        mappings={"row_id": "id", "domain": "customer.websites[0]", "arr": "subscription.arr"},
    )
    with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
        repository.add_internal(system)


def _add_files(place: Path) -> None:
    """Put two exports into a tenant's folder."""
    place.mkdir(parents=True)
    (place / "ideas.csv").write_text(
        "Key,Summary,State,Raised on\nI-1,Dark mode,planned,13/01/2026\n", encoding="utf-8"
    )
    (place / "votes.csv").write_text("Idea,Reached at,Voted\nI-1,ann@acme.example,01/02/2026\n", encoding="utf-8")


def _run_all(made: Installation) -> dict[str, str]:
    """Sync acme's sandbox, fail once, plan after people voted; have the plan for production held. Ids of the runs."""
    world = made.worlds["acme"]
    first, *_, last = world.canny.posts
    world.canny.merge(last, first)
    made.good("setup", "--tenant", "acme", "--yes")
    made.good("sync", "--tenant", "acme")
    runs = {"sync": _last_run(made.home, "acme", "sandbox")}
    world.sandbox.canny.faults.append(Fault(lambda _: True, times=None, status=401))
    made.run("sync", "--tenant", "acme")
    world.sandbox.canny.faults.clear()
    _go_on(world)
    made.good("plan", "--tenant", "acme")
    runs["plan"] = _last_run(made.home, "acme", "sandbox")
    world.sandbox.hubspot_sandbox.faults.append(Fault(lambda request: "batch" in request.path, status=500, times=None))
    made.run("sync", "--tenant", "acme")
    [runs["failed"], *_] = kept_endings(made.home, Environment.SANDBOX, "acme")
    world.sandbox.hubspot_sandbox.faults.clear()
    made.good("setup", "--tenant", "acme", "--environment", "production", "--yes")
    held = made.run("sync", "--tenant", "acme", "--environment", "production")
    assert "first_apply" in held.err, held.out + held.err
    runs["held"] = _last_run(made.home, "acme", "production")
    return runs


def _go_on(world: World) -> None:
    """Let people vote, and the team change what it plans: the next plan has something to say."""
    canny = world.canny
    posts = list(canny.posts.values())
    voters = [user for user in canny.users.values() if user.email][:40]
    for number, user in enumerate(voters):
        post = posts[number % min(6, len(posts))]
        if (post.id, user.id) not in canny.vote_of_pair:
            canny.vote(post.id, user.id)
    posts[0].title = f"{posts[0].title} (beta)"
    canny.version += 1


def _demo(sample: Sample, place: Path) -> tuple[Path, dict[int, list[Typed]]]:
    """Run the demo and look around afterwards, on a wide terminal and a narrow one. Its home, and the sessions."""
    sessions: dict[int, list[Typed]] = {}
    for columns in (NARROW, WIDE):
        # The demo is of the whole sample once: on the narrow terminal it is there for its lines.
        with folder() as elsewhere:
            at = place if columns == WIDE else elsewhere
            sessions[columns] = _session(sample if columns == WIDE else lambda: small_world().sample, at, columns)
    return place / DEMO, sessions


def _session(sample: Sample, place: Path, columns: int) -> list[Typed]:
    """What is typed and printed in a folder: the demo, and after some votes whatever else is looked at."""
    made: list[Sandbox] = []

    def kept(**asked: Any) -> Sandbox:
        made.append(_sandbox(sample(), **asked))
        return made[0]

    with contextlib.chdir(place):
        with world_of(_sandbox(small_world().sample), place / DEMO) as world, mock.patch(BUILD, kept):
            typed = [_typed(world, "make demo", "demo", columns)]
        company = _ids(place / DEMO, "default")["domain"]
        with world_of(made[0], place / DEMO) as world:
            _go_on(world)
            for command in TYPED:
                words = command.format(company=company)
                typed.append(_typed(world, f"integration-assets {words}", words, columns))
    # Where the picture was made is nobody's business, and longer than a line.
    return [Typed(one.command, one.printed.replace(str(place), "~/ranking")) for one in typed]


def _typed(world: World, command: str, words: str, columns: int) -> Typed:
    ran = world.run(*words.split(), FORCE_COLOR="1", COLUMNS=str(columns))
    assert ran.code in (0, 1, 3), ran.out + ran.err
    return Typed(command, ran.out or ran.err)


def _ids(home: Path, tenant: str = "acme") -> dict[str, str]:
    """A request that many want, one that was merged away, a company and its domain."""
    with duckdb.connect(str(published_path(home, "sandbox", tenant)), read_only=True) as connection:

        def first(sql: str) -> list[str]:
            return [str(one) for one in connection.execute(sql).fetchone() or ("", "")]

        [request] = first("SELECT request_id FROM ranked.feature_requests WHERE is_open ORDER BY rank_by_arr LIMIT 1")
        company, domain = first(
            "SELECT company_id, domain FROM ranked.companies WHERE domain IS NOT NULL "
            "ORDER BY arr DESC NULLS LAST LIMIT 1"
        )
        merged, *_ = first("SELECT request_id FROM ranked.merged_requests ORDER BY 1 LIMIT 1")
    return {"request": request, "merged": merged, "company": company, "domain": domain}


def _last_run(home: Path, tenant: str, environment: str) -> str:
    with duckdb.connect(str(published_path(home, environment, tenant)), read_only=True) as connection:
        [found] = connection.execute("SELECT run_id FROM ops.runs ORDER BY started_at DESC LIMIT 1").fetchall()
    return str(found[0])
