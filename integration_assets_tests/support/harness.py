"""Running the product against a sandbox of one's own, and reading what it left through clients that are not ours.

`World` is one sandbox on loopback with one home. `world.run("sync")` runs a command in this process, which is quick;
`world.start("sync")` runs it as a process of its own, as a user does. Both see the environment variables of the world
and none of the machine's.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from unittest import mock

from hubspot.crm.objects import SimplePublicObjectInput  # type: ignore[import-untyped]  # the client has no types

from integration_assets import cli
from integration_assets.config import ENVIRONMENTS
from integration_assets.providers import PROVIDERS
from integration_assets.sandbox.canny import Workspace, canny_lookalike
from integration_assets.sandbox.canny.records import Post, slug
from integration_assets.sandbox.hubspot import Portal
from integration_assets.sandbox.internal import billing_lookalike
from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike
from integration_assets.sandbox.server import CUSTOM, Sandbox, SandboxAddresses, SeededPortal, hubspot_stand_in, serving
from integration_assets.sandbox.slack import slack_lookalike
from integration_assets_tests.support.dagster_migrations import read_migrations_once
from integration_assets_tests.support.foreign import (
    hubspot_client,
    hubspot_links,
    hubspot_records,
    portal_for_foreigners,
)
from integration_assets_tests.support.small_world import COMPANIES, CONTACTS, small_world
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

PREFIXES = (
    "AWS_",
    "DAGSTER_",
    "INTEGRATION_ASSETS_",
    *{f"{name.partition('_')[0]}_" for spec in PROVIDERS.values() for name in spec.variables(ENVIRONMENTS)},
)
"""Beginnings of the variables that no test takes over from the machine: ours, and those of every provider."""
OBJECT = "feature_request"
KEY_PROPERTY = "feature_request_key"
SETUP_POLL_SECONDS = 0.2
"""How often a setup in a test looks whether the portal reads back; its lags are fractions of a second."""

NOBODY_LISTENS = 9
"""A port that is closed on every machine that is not a museum of the internet."""
DOCTOR_LOOKS_AT: dict[str, object] = {
    "integration_assets.doctor.network.METADATA": (("127.0.0.1", NOBODY_LISTENS),),
    "integration_assets.doctor.exposure.PROC": Path(os.devnull),
    "integration_assets.doctor.exposure.WEBSERVER_PORT": NOBODY_LISTENS,
    "integration_assets.doctor.plaintext.places": lambda home: [home],
}
"""What the doctor finds instead of the machine the tests run on."""

NAMES = small_world()
"""Ids are the same in every copy of the small world."""

Properties = dict[str, str | None]


@dataclass
class Ran:
    """One command that ended: exit code, both streams, and the JSON it was asked to write (None: it wrote none)."""

    code: int
    out: str
    err: str
    summary: Any = None

    @property
    def error_lines(self) -> list[str]:
        """What the command itself said on stderr, progress left out."""
        return [line for line in self.err.splitlines() if line.startswith("integration-assets: ")]


@dataclass
class InCrm:
    """Our records in one portal, read through HubSpot's own client. Keys are the product's (`canny:<request id>`)."""

    records: dict[str, Properties]
    archived: dict[str, Properties]
    companies: dict[str, dict[str, set[str]]]
    """Labels towards companies: key → company id → labels."""
    contacts: dict[str, dict[str, set[str]]]


@dataclass
class World:
    """One sandbox, served, with the home of one installation that is pointed at it."""

    sandbox: Sandbox
    addresses: SandboxAddresses
    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    """Variables beside those of the sandbox; they win."""

    # -- the small world's inhabitants

    @property
    def canny(self) -> Workspace:
        """The Canny workspace."""
        return self.sandbox.sample.workspace

    @property
    def object_name(self) -> str:
        """The object that holds our records."""
        return OBJECT if self.sandbox.kept_in == CUSTOM else self.sandbox.kept_in

    @property
    def labelled(self) -> bool:
        """True if links carry labels in these portals."""
        return self.portal.options.has_labels

    @property
    def portal(self) -> Portal:
        """The sandbox portal."""
        return self.sandbox.sandbox.portal

    def request_id(self, name: str) -> str:
        """Id in Canny of a request of the small world."""
        return NAMES.requests[name]

    def key(self, name: str) -> str:
        """Our key in the CRM of a request of the small world."""
        return f"canny:{self.request_id(name)}"

    def person(self, name: str) -> str:
        """Id in Canny of a person of the small world."""
        return NAMES.people[name]

    def company(self, name: str, environment: str = "sandbox") -> str:
        """Record id of a company of the small world."""
        return self.seeded(environment).company_ids[list(COMPANIES).index(name)]

    def contact(self, name: str, environment: str = "sandbox") -> str:
        """Record id of a contact of the small world."""
        return self.seeded(environment).contact_ids[list(CONTACTS).index(name)]

    def record_id(self, name: str, environment: str = "sandbox") -> str:
        """Record id of our record of a request of the small world."""
        records = self.seeded(environment).portal.records(self.object_name)
        return next(str(one["id"]) for one in records if one["properties"].get(KEY_PROPERTY) == self.key(name))

    # -- running

    def environment(self, **variables: str | None) -> dict[str, str]:
        """What a command sees: nothing of the machine's own settings. None takes a variable away."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        wanted = {
            **clean,
            **self.addresses.environment(),
            "INTEGRATION_ASSETS_HOME": str(self.home),
            **self.extra,
            **variables,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def run(self, *arguments: str, json_file: bool = False, stdin: str | None = None, **variables: str | None) -> Ran:
        """Run one command in this process. With `json_file` its `--json` is read into the result."""
        read_migrations_once()
        target = self.home / "asked-for.json"
        target.unlink(missing_ok=True)
        command = ["integration-assets", *arguments, *(["--json", str(target)] if json_file else [])]
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(**variables), clear=True),
            mock.patch.object(sys, "argv", command),
            mock.patch.object(sys, "stdin", io.StringIO(stdin or "")),
            mock.patch("integration_assets.sync.setup.POLL_SECONDS", SETUP_POLL_SECONDS),
            nothing_beyond_loopback(arguments),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main()
                code: Any = 0
            except SystemExit as ended:
                code = ended.code or 0
        return Ran(int(code), out.getvalue(), err.getvalue(), read_json(target))

    def start(self, *arguments: str, **variables: str | None) -> subprocess.Popen[str]:
        """Start one command as a process of its own."""
        return started(arguments, self.environment(**variables))

    def finish(self, process: subprocess.Popen[str], json_file: Path | None = None) -> Ran:
        """Wait for a started command."""
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return Ran(process.returncode, out, err, read_json(json_file) if json_file else None)

    def sync(self, *arguments: str, **variables: str | None) -> Ran:
        """A sync that must succeed, with its summary."""
        ran = self.run("sync", *arguments, json_file=True, **variables)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def set_up(self, environment: str = "sandbox") -> None:
        """Run `setup`, which must succeed."""
        ran = self.run("setup", "--yes", "--environment", environment)
        assert ran.code == 0, ran.out + ran.err

    # -- looking

    def writes(self, environment: str = "sandbox") -> list[LoggedRequest]:
        """Requests in a portal's own log that can change it."""
        return [request for request in self.lookalike(environment).requests if is_write(request)]

    def lookalike(self, environment: str = "sandbox") -> Lookalike:
        """The look-alike of one environment's portal."""
        return self.sandbox.hubspot_sandbox if environment == "sandbox" else self.sandbox.hubspot_production

    def seeded(self, environment: str = "sandbox") -> SeededPortal:
        """The portal of one environment with the ids of its companies and contacts."""
        return self.sandbox.sandbox if environment == "sandbox" else self.sandbox.production

    def forget_requests(self) -> None:
        """Empty the request logs."""
        for lookalike in (
            self.sandbox.canny,
            self.sandbox.hubspot_sandbox,
            self.sandbox.hubspot_production,
            self.sandbox.slack,
        ):
            lookalike.requests.clear()

    def in_crm(self, environment: str = "sandbox") -> InCrm:
        """All our records and their labels, through HubSpot's own client."""
        portal = self.seeded(environment).portal
        with portal_for_foreigners(portal) as address:
            records, archived = (
                _ours(hubspot_records(address, portal.token, self.object_name, archived=which), self.object_name)
                for which in (False, True)
            )
            ids = {str(record["hs_object_id"]): key for key, record in records.items()}
            labels = [
                _labels(ids, hubspot_links(address, portal.token, self.object_name, to_object, list(ids)))
                for to_object in ("companies", "contacts")
            ]
        return InCrm(records, archived, *labels)

    # -- what people do in the CRM, through HubSpot's own client

    @contextlib.contextmanager
    def as_person(self, environment: str = "sandbox") -> Iterator[tuple[Any, str]]:
        """HubSpot's own client on one portal, and the id of our object's type there."""
        portal = self.seeded(environment).portal
        with portal_for_foreigners(portal) as address:
            client = hubspot_client(address, portal.token)
            known = {
                one.name: one.object_type_id for one in client.crm.schemas.core_api.get_all(archived=False).results
            }
            yield client, known.get(OBJECT, "")

    def edit_record(self, name: str, **properties: str) -> None:
        """Change properties of our record of a request of the small world."""
        with self.as_person() as (client, object_type):
            client.crm.objects.basic_api.update(
                object_type, self.record_id(name), SimplePublicObjectInput(properties=properties)
            )

    # -- what people do in Canny

    def edit_request(self, name: str, **fields: Any) -> None:
        """Change fields of a request of the small world."""
        post = self.canny.posts[self.request_id(name)]
        for field_name, value in fields.items():
            setattr(post, field_name, value)
        self.canny.version += 1

    def vote(self, name: str, person: str) -> None:
        """A person's vote on a request, now."""
        self.canny.vote(self.request_id(name), self.person(person))

    def take_vote_back(self, name: str, person: str) -> None:
        """A person's vote on a request, gone."""
        self.canny.delete_vote(self.canny.vote_of_pair[self.request_id(name), self.person(person)])

    def add_request(
        self, title: str, *, board: str = "Features", author: str = "ann", voters: Sequence[str] = ()
    ) -> str:
        """A new request, now; returns our key for it."""
        made = self.canny.moment()
        post = Post(self.canny.new_id(made), NAMES.boards[board], title, made, slug(title), self.person(author))
        self.canny.add_post(post)
        for voter in voters:
            self.canny.vote(post.id, self.person(voter))
        return f"canny:{post.id}"

    def standard_records(self, environment: str = "sandbox") -> dict[str, dict[str, Properties]]:
        """Every company and contact with every property, through HubSpot's own client."""
        portal = self.seeded(environment).portal
        with portal_for_foreigners(portal) as address:
            return {name: hubspot_records(address, portal.token, name) for name in ("companies", "contacts")}


@contextlib.contextmanager
def nothing_beyond_loopback(arguments: Sequence[str]) -> Iterator[None]:
    """Keep the doctor, the one command that looks around, on this machine and away from whatever runs here."""
    with contextlib.ExitStack() as stack:
        for name, value in DOCTOR_LOOKS_AT.items() if arguments[:1] == ("doctor",) else ():
            stack.enter_context(mock.patch(name, value))
        yield


def started(
    arguments: Sequence[str], environment: Mapping[str, str], output: int | IO[bytes] = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a command as a process of its own. Both its streams go to `output`, each to a pipe unless told."""
    return subprocess.Popen(
        [sys.executable, "-m", "integration_assets.cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        text=True,
    )


def is_write(request: LoggedRequest) -> bool:
    """Whether a request to HubSpot can change the portal: batch reads, searches and token checks cannot."""
    reading = ("/batch/read", "/search", "/get/access-token-info")
    return request.method not in ("GET", "HEAD", "OPTIONS") and not request.path.endswith(reading)


def _labels(ids: Mapping[str, str], found: Mapping[str, set[tuple[str, str | None]]]) -> dict[str, dict[str, set[str]]]:
    """Labels of every associated pair, by our key and the other record: none where it is associated without a label."""
    labels: dict[str, dict[str, set[str]]] = {}
    for record_id, others in found.items():
        towards: dict[str, set[str]] = {}
        for other, label in others:
            # The primary company of a ticket is HubSpot's doing.
            towards.setdefault(other, set()).update([label] if label not in (None, "Primary") else [])
        labels[ids[record_id]] = towards
    return labels


def _ours(records: dict[str, Properties], object_name: str) -> dict[str, Properties]:
    """Our records among those of an object, by the names that our own object would have for their values."""
    if object_name == OBJECT:
        return records
    return {
        key: {
            name if name == KEY_PROPERTY else name.removeprefix(f"{OBJECT}_"): value for name, value in record.items()
        }
        for key, record in records.items()
        if record[f"{OBJECT}_marker"] is not None
    }


def read_json(path: Path) -> Any:
    """Read a file that a command was asked to write; None: it wrote none."""
    return json.loads(path.read_text()) if path.exists() else None


# -- copies of a world at one moment


def copied(sandbox: Sandbox) -> Sandbox:
    """A sandbox with the same state that goes its own way from here; logs and faults start empty."""
    locks = {id(seeded.portal.lock): threading.RLock() for seeded in (sandbox.sandbox, sandbox.production)}
    states = (sandbox.sample, sandbox.sandbox, sandbox.production, sandbox.team, sandbox.billing)
    sample, own, production, team, billing = copy.deepcopy(states, locks)
    crm = hubspot_stand_in(own, production, kept_in=sandbox.kept_in)
    return Sandbox(
        sample=sample,
        canny=canny_lookalike(sample.workspace),
        hubspot_sandbox=crm.sandbox,
        hubspot_production=crm.production,
        slack=slack_lookalike(team),
        internal=billing_lookalike(billing),
        sandbox=own,
        production=production,
        team=team,
        billing=billing,
        crm=crm,
        kept_in=sandbox.kept_in,
    )


@contextlib.contextmanager
def world_of(sandbox: Sandbox, home: Path, **extra: str) -> Iterator[World]:
    """A world around a sandbox, served for the length of the block."""
    with serving(sandbox) as addresses:
        yield World(sandbox, addresses, home, dict(extra))
