"""Owners of companies hear once of what shipped: what they are told, and what happens when Slack is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pytest

from integration_assets.reporting.shipped_posts import (
    OWNERS_PER_RUN,
    OwnerPost,
    owner_posts,
    stop_watching,
    tell_owners,
    watch_shipped,
)
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.store import open_store
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote

OWNERS = {"a": "Ann Lee", "b": "Bo", "c": None, "d": "Ann Lee"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """One request has shipped, and one has not."""
    with open_store(tmp_path / "store.duckdb") as connection:
        ship(connection, "old")
        yield connection


def ship(connection: duckdb.DuckDBPyConnection, *shipped: str, owners: dict[str, str | None] | None = None) -> None:
    """Rank the world with these requests shipped."""
    owners = owners or OWNERS
    world: World = {
        "feature_requests": [
            request(one, title=f"{one} ask x@y.com", status="complete" if one in shipped else "open")
            for one in ("old", "new", "lonely")
        ],
        "voters": [{"voter_id": one, "email": f"u@{one}.com"} for one in owners],
        "votes": [vote(f"{name}{one}", name, one) for name in ("old", "new") for one in owners],
        "crm_companies": [
            company(one, f"{one}.com", name=f"Company <{one}>", arr="5", owner=owner) for one, owner in owners.items()
        ],
    }
    load(connection, world)
    connection.execute("BEGIN")
    resolve_votes(connection, ResolutionSettings())
    rank(connection, AS_OF)
    connection.execute("COMMIT")


class Slack:
    """Takes messages as long as `answers` last, then fails that way."""

    def __init__(self, *answers: DeliveryStatus, then: DeliveryStatus = DeliveryStatus.POSTED) -> None:
        self.answers, self.then, self.got = list(answers), then, list[OwnerPost]()

    def post(self, one: OwnerPost) -> Posting:
        status = self.answers.pop(0) if self.answers else self.then
        self.got.append(one)
        return Posting(status, None if status is DeliveryStatus.POSTED else "Slack is away")

    @property
    def owners(self) -> list[str]:
        return [one.owner for one in self.got]


def watch(store: duckdb.DuckDBPyConnection) -> None:
    watch_shipped(store, AS_OF)


def test_each_owner_is_told_once_of_what_ships_from_then_on(store: duckdb.DuckDBPyConnection) -> None:
    """With the companies of theirs; nothing that had shipped before, nothing twice, no address."""
    watch(store)
    assert owner_posts(store) == []
    ship(store, "old", "new", "lonely")
    watch(store)
    slack = Slack()
    assert tell_owners(store, slack.post) == []
    assert slack.owners == ["Ann Lee", "Bo", ""]
    ann = slack.got[0]
    assert ann.text == "Shipped, and companies of Ann Lee asked for it"
    assert ann.request_ids == ("new",)
    said = msgspec.json.encode(ann.blocks).decode()
    assert "*new ask [address]*: Company &lt;a&gt;, Company &lt;d&gt; (2 voters)" in said
    assert "@" not in said
    assert slack.got[2].text == "Shipped, and companies without an owner asked for it"
    # an owner who takes a company over does not hear of it again
    ship(store, "old", "new", "lonely", owners={**OWNERS, "b": "Cy"})
    watch(store)
    assert tell_owners(store, slack.post) == []
    assert len(slack.got) == 3


def test_what_certainly_did_not_arrive_waits_and_what_may_have_does_not(store: duckdb.DuckDBPyConnection) -> None:
    """Two messages are worse than a missing one; the run says who was not told."""
    watch(store)
    ship(store, "old", "new")
    watch(store)
    away = Slack(DeliveryStatus.POSTED, then=DeliveryStatus.NOT_POSTED)
    assert tell_owners(store, away.post) == [
        "what shipped was not told to 2 owners of companies that asked: Slack is away"
    ]
    unclear = Slack(then=DeliveryStatus.UNCERTAIN)
    assert len(tell_owners(store, unclear.post)) == 1
    assert unclear.owners == ["Bo"]
    slack = Slack()
    tell_owners(store, slack.post)
    assert slack.owners == [""]


def test_what_waits_follows_the_companies_and_the_status(store: duckdb.DuckDBPyConnection) -> None:
    """While a message waits, another owner may take the companies over, and the request may be taken back."""
    watch(store)
    ship(store, "old", "new")
    watch(store)
    assert [one.owner for one in owner_posts(store)] == ["Ann Lee", "Bo", ""]
    ship(store, "old", "new", owners={**OWNERS, "b": "Cy", "c": "Ann Lee"})
    watch(store)
    assert [one.owner for one in owner_posts(store)] == ["Ann Lee", "Cy"]
    # a company that a read lacks takes its owner's turn away for as long only
    ship(store, "old", "new", owners={"a": "Ann Lee", "d": "Ann Lee"})
    watch(store)
    assert [one.owner for one in owner_posts(store)] == ["Ann Lee"]
    ship(store, "old", "new", owners={**OWNERS, "b": "Cy", "c": "Ann Lee"})
    watch(store)
    assert [one.owner for one in owner_posts(store)] == ["Ann Lee", "Cy"]
    ship(store, "old")
    watch(store)
    assert owner_posts(store) == []
    ship(store, "old", "new")
    watch(store)
    slack = Slack()
    assert tell_owners(store, slack.post) == []
    assert slack.owners == ["Ann Lee", "Bo", ""]


def test_no_owner_is_markup(store: duckdb.DuckDBPyConnection) -> None:
    """The text of the notification is markup to Slack, the heading is not; an address is neither."""
    watch(store)
    ship(store, "old", "new", owners={"a": "<!channel> R&D", "b": "bo@acme.com"})
    watch(store)
    first, second = owner_posts(store)
    assert first.text == "Shipped, and companies of &lt;!channel&gt; R&amp;D asked for it"
    assert first.blocks[0]["text"]["text"] == ":package: Shipped, and companies of <!channel> R&D asked for it"
    # Whoever has an address for a name is told apart by a number made of it.
    assert second.text.startswith("Shipped, and companies of owner ")
    assert "@" not in second.text


def test_many_owners_are_told_by_several_runs(store: duckdb.DuckDBPyConnection) -> None:
    """Ten by each, and how many are left is said; switched off, everything begins anew."""
    watch(store)
    owners: dict[str, str | None] = {f"firm{number}": f"Owner {number:02}" for number in range(OWNERS_PER_RUN + 2)}
    ship(store, "old", "new", owners=owners)
    watch(store)
    slack = Slack()
    assert tell_owners(store, slack.post) == ["what shipped is told to 2 more owners by the next run"]
    assert tell_owners(store, slack.post) == []
    assert slack.owners == sorted(str(owner) for owner in owners.values())
    stop_watching(store)
    watch(store)
    assert owner_posts(store) == []
