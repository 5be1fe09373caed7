"""What may happen between two syncs, to one strand of a history: in the source, and by people in the CRM.

A strand has three requests, two companies, and records of its own; several strands share a portal. Every event takes
the world, the strand, which of its requests, and which of a few values: two small numbers, so that hypothesis can make
a failing history small. An event that does not fit, such as archiving a record that is not there, does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from integration_assets.models import LinkTarget
from integration_assets.sync.feature_request_object import POLICIES, RETIRED_REASON, STATE_FIELDS, normalise
from integration_assets_tests.proofs.histories.virtual_crm import VirtualCrm
from integration_assets_tests.sync.fake_crm import StoredRecord
from integration_assets_tests.sync.world import Request, World

REQUESTS = 3
VALUES = 4
VOTERS = ("ann", "bob", "eve", "kim")
CONTACTS = {"ann": "c1", "bob": "c2", "eve": "c3"}
TITLES = ("One", "Two", " padded ", "Three")
TEXTS = (None, "Please", "x\r\ny", "Two")
STATUSES = ("open", "planned", "complete", "in_progress")
UNOWNED = ("owner", "notes")
EDITS = (
    ("title", TITLES), ("details", ("", "Said by phone", "x\ny", " ")), ("votes", ("7", "", "1.0", "0")),
    ("category", ("", "Other", "General", "Sales")), ("arr", ("", "12.5", "0", "1e3")), ("status", STATUSES),
    (RETIRED_REASON, ("", "merged", "deleted", "")), ("retired_at", ("", "2026-01-01T00:00:00Z", "", "")),
)  # fmt: skip


Pair = tuple[str, LinkTarget, str]
"""Id of our record, what it is associated with, its id."""


@dataclass
class Past:
    """What a check must know of what happened.

    `typed`: values people gave a field of a record; `typed_by_source`: values the source gave it; `by_hand`: keys of
    records somebody else made or brought back; `gone`: keys of verified records merged away or deleted for good.
    `associated`: pairs that people associated while nothing was on them, which nobody may end; `uncertain`: pairs that
    may stay associated without a label, because nobody can tell whose association it is.
    """

    world: World
    crm: VirtualCrm
    typed: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    typed_by_source: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    by_hand: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    associated: set[Pair] = field(default_factory=set)
    uncertain: set[Pair] = field(default_factory=set)


@dataclass(frozen=True)
class Strand:
    """The part of the world one history is about."""

    past: Past
    number: int

    @property
    def requests(self) -> dict[str, Request]:
        return self.past.world.requests

    @property
    def crm(self) -> VirtualCrm:
        return self.past.crm

    def request_id(self, n: int) -> str:
        return f"s{self.number}r{n}"

    def key(self, n: int) -> str:
        return f"canny:{self.request_id(n)}"

    def company(self, v: int) -> str | None:
        return (f"s{self.number}acme", f"s{self.number}bolt", None, f"s{self.number}acme")[v]

    def live(self, n: int) -> str | None:
        """Id of the live record of a request."""
        return self.crm.live_ids({self.key(n)}).get(self.key(n))

    def change(self, n: int, **values: object) -> None:
        request = self.requests.get(self.request_id(n))
        if request is not None:
            self.requests[self.request_id(n)] = replace(request, **values)  # type: ignore[arg-type]  # names are fields

    def edit(self, record_id: str, name: str, value: str) -> None:
        """Somebody types a value into the CRM."""
        record = self.crm.records[record_id]
        record.values[name] = value
        if name in POLICIES:
            self.past.typed[str(record.key), name].add(normalise(name, value))


Event = Callable[[Strand, int, int], object]


def _new(strand: Strand, n: int, v: int) -> None:
    made = Request(TITLES[v], STATUSES[v], details=TEXTS[v], author=VOTERS[v])
    strand.requests.setdefault(strand.request_id(n), made)


def _delete(strand: Strand, n: int, _v: int) -> None:
    strand.requests.pop(strand.request_id(n), None)


def _merge_requests(strand: Strand, n: int, v: int) -> None:
    into = strand.requests.get(strand.request_id(v % REQUESTS))
    loser = strand.requests.get(strand.request_id(n))
    if into is None or loser is None or into is loser:
        return
    del strand.requests[strand.request_id(n)]
    strand.past.world.merged[strand.request_id(n)] = strand.request_id(v % REQUESTS)
    strand.change(v % REQUESTS, votes=tuple({voter: (voter, c) for voter, c in (*loser.votes, *into.votes)}.values()))


def _vote(strand: Strand, n: int, v: int) -> None:
    request = strand.requests.get(strand.request_id(n))
    if request is not None and all(voter != VOTERS[v] for voter, _ in request.votes):
        strand.change(n, votes=(*request.votes, (VOTERS[v], strand.company(v))))


def _take_vote_back(strand: Strand, n: int, v: int) -> None:
    request = strand.requests.get(strand.request_id(n))
    if request is not None:
        strand.change(n, votes=tuple(vote for vote in request.votes if vote[0] != VOTERS[v]))


def _edit_owned(strand: Strand, n: int, v: int) -> None:
    _edit(strand, n, EDITS[v][0], EDITS[v][1][n])


def _edit_owned_too(strand: Strand, n: int, v: int) -> None:
    _edit(strand, n, EDITS[v + VALUES][0], EDITS[v + VALUES][1][n])


def _edit_title(strand: Strand, n: int, v: int) -> None:
    _edit(strand, n, "title", TITLES[v])


def _edit_unowned(strand: Strand, n: int, v: int) -> None:
    _edit(strand, n, UNOWNED[v % 2], f" as\r\ntyped {v} ")


def _edit(strand: Strand, n: int, name: str, value: str) -> None:
    record_id = strand.live(n)
    if record_id is not None:
        strand.edit(record_id, name, value)


def _archive(strand: Strand, n: int, _v: int) -> None:
    record_id = strand.live(n)
    if record_id is not None:
        strand.crm.records[record_id].archived = True


def _restore(strand: Strand, n: int, _v: int) -> None:
    held = [i for i, record in strand.crm.records.items() if record.key == strand.key(n) and record.archived]
    if held and strand.live(n) is None:
        strand.crm.records[held[0]].archived = False
        strand.past.by_hand.add(strand.key(n))


def _delete_for_good(strand: Strand, n: int, _v: int) -> None:
    record_id = strand.live(n)
    if record_id is not None:
        _remove(strand, record_id)


def _remove(strand: Strand, record_id: str) -> None:
    record = strand.crm.records.pop(record_id)
    for pair in [pair for pair in strand.crm.pairs if pair[0] == record_id]:
        del strand.crm.pairs[pair]
    known = strand.past.world.connection.execute(
        "SELECT count(*) FROM sync.field_bases WHERE key = $key", {"key": record.key}
    ).fetchall()[0][0]
    if known:  # of a record it has never seen whole, nobody can know that it was removed
        strand.past.gone.add(str(record.key))


def _look_alike(strand: Strand, n: int, v: int) -> None:
    """A record somebody made by hand: without a key, with another program's, or with ours."""
    key = (None, f"jira:{strand.request_id(n)}", strand.key(n), None)[v]
    if key is not None and key in strand.crm.live_ids({key}):
        return
    request = strand.requests.get(strand.request_id(n), Request())
    record_id = strand.crm.add(StoredRecord(key, {"owner": "kim"}))
    strand.edit(record_id, "title", request.title)
    if key == strand.key(n):
        strand.past.by_hand.add(key)
        strand.edit(record_id, "category", "Other")
        for name in STATE_FIELDS:  # what they left empty looks like a field they cleared, where we know the key already
            strand.past.typed[key, name].add("")


def _merge_records(strand: Strand, n: int, v: int) -> None:
    """The CRM makes a third record of two: values of the first, the labels of both, and both ids are gone."""
    first, second = strand.live(n), strand.live(v % REQUESTS)
    if first is None or second is None or first == second:
        return
    pairs: dict[tuple[LinkTarget, str], set[str]] = defaultdict(set)
    for (record_id, target, target_id), labels in strand.crm.pairs.items():
        if record_id in {first, second}:
            pairs[target, target_id] |= labels
    kept = strand.crm.records[first]
    merged = strand.crm.add(StoredRecord(kept.key, dict(kept.values)))
    gone_before = kept.key in strand.past.gone
    _remove(strand, first)
    _remove(strand, second)
    if not gone_before:
        strand.past.gone.discard(str(kept.key))
    for (target, target_id), labels in pairs.items():
        strand.crm.pairs[merged, target, target_id] = labels
        strand.past.uncertain.add((merged, target, target_id))


def _merge_companies(strand: Strand, n: int, _v: int) -> None:
    """One company becomes part of the other: votes count for it, labels move to it."""
    gone, kept = str(strand.company(n % 2)), str(strand.company(1 - n % 2))
    for request_id in [strand.request_id(number) for number in range(REQUESTS)]:
        request = strand.requests.get(request_id)
        if request is not None:
            votes = tuple((voter, kept if company == gone else company) for voter, company in request.votes)
            strand.requests[request_id] = replace(request, votes=votes)
    for record_id, target, target_id in list(strand.crm.pairs):
        if target_id == gone:
            strand.crm.pairs[record_id, target, kept] |= strand.crm.pairs.pop((record_id, target, target_id))
            strand.past.associated.discard((record_id, target, target_id))
            strand.past.uncertain.add((record_id, target, kept))


def _remove_label(strand: Strand, n: int, v: int) -> None:
    for pair, labels in list(strand.crm.pairs.items()):
        if pair[0] == strand.live(n):
            labels.discard(("voted", "voter", "author", "voted")[v])
            strand.past.uncertain.add(pair)


def _foreign_label(strand: Strand, n: int, v: int) -> None:
    record_id = strand.live(n)
    if record_id is not None:
        strand.crm.associate(record_id, "company", str(strand.company(v % 2)), f"other:{v}")


def _associate(strand: Strand, n: int, v: int) -> None:
    """Somebody associates a record with a company or contact that has no vote, or has one."""
    record_id = strand.live(n)
    target: LinkTarget = "company" if v < 2 else "contact"  # half of the values each
    target_id = str(strand.company(v)) if v < 2 else CONTACTS[VOTERS[v - 2]]
    if record_id is not None:
        if not strand.crm.pairs.get((record_id, target, target_id)):
            strand.past.associated.add((record_id, target, target_id))
        strand.crm.associate(record_id, target, target_id)


NOTHING = "nothing"
EVENTS: dict[str, Event] = {
    NOTHING: lambda _strand, _n, _v: None,  # first, so that hypothesis puts it where an event does not matter
    "new request": _new,
    "request deleted": _delete,
    "requests merged": _merge_requests,
    "title changed": lambda strand, n, v: strand.change(n, title=TITLES[v]),
    "text changed": lambda strand, n, v: strand.change(n, details=TEXTS[v]),
    "status changed": lambda strand, n, v: strand.change(n, status=STATUSES[v]),
    "category changed": lambda strand, n, v: strand.change(n, category=(None, "General", "Other", "")[v]),
    "ARR changed": lambda strand, n, v: strand.change(n, arr=("0", "10.50", "1000", "0.1")[v]),
    "author changed": lambda strand, n, v: strand.change(n, author=(None, *VOTERS)[v]),
    "vote": _vote,
    "vote taken back": _take_vote_back,
    "owned field edited": _edit_owned,
    "another owned field edited": _edit_owned_too,
    "title edited": _edit_title,
    "unowned field edited": _edit_unowned,
    "record archived": _archive,
    "record restored": _restore,
    "record deleted for good": _delete_for_good,
    "look-alike made": _look_alike,
    "records merged": _merge_records,
    "companies merged": _merge_companies,
    "label removed": _remove_label,
    "foreign label added": _foreign_label,
    "associated by hand": _associate,
}
