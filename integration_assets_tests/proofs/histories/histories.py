"""Random histories: what happens between syncs, what goes wrong during them, and what must hold after each.

A story is told on one portal and one store. It has several strands side by side, each a history of its own with its own
requests, companies and records; syncs, undos and troubles are common to all. After each sync: no key twice, nothing of
other people's moved, nothing archived or removed came back. At the end, one calm sync settles everything.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from integration_assets.errors import EndState
from integration_assets.models import LinkTarget
from integration_assets.sync.drift import target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, POLICIES, RETIRED_REASON, STATE_FIELDS
from integration_assets_tests.proofs.histories.history_events import CONTACTS, EVENTS, NOTHING, Past, Strand
from integration_assets_tests.proofs.histories.history_oracle import (
    Bases,
    Fields,
    check_end,
    fields,
    is_ours,
    live_records,
    wanted,
)
from integration_assets_tests.proofs.histories.history_stories import CALM, CHANGES_OF_SCHEMA, STRANDS, Story, Trouble
from integration_assets_tests.proofs.histories.virtual_crm import Fate, VirtualCrm
from integration_assets_tests.sync.fake_crm import Killed, StoredRecord, killed_at
from integration_assets_tests.sync.world import NOW, Request, World, new_store

BETWEEN_STEPS_SECONDS = 60
STORIES_PER_STORE = 100
"""A store in memory grows with what is deleted from it."""


@dataclass
class Seen:
    """The CRM at one moment."""

    records: dict[str, StoredRecord]
    foreign_labels: set[tuple[tuple[str, LinkTarget, str], str]]

    @property
    def archived_keys(self) -> set[str | None]:
        return {record.key for record in self.records.values() if record.archived}


@dataclass
class Count:
    """What was told: distinct histories, and the steps in them; fields of others that changed must stay 0."""

    histories: set[int] = field(default_factory=set)
    syncs: int = 0
    undos: int = 0
    held: int = 0
    killed: int = 0
    lost: int = 0
    events: int = 0
    unowned_compared: int = 0
    owned_restored: int = 0

    def __str__(self) -> str:
        return (
            f"{len(self.histories):,} distinct histories, {self.events:,} events, {self.syncs:,} syncs, "
            f"{self.undos:,} undos; {self.killed:,} killed, {self.lost:,} answers lost, {self.held:,} held"
        )


class Teller:
    """Tells stories, each on an emptied store, and counts."""

    def __init__(self) -> None:
        self.count = Count()
        self._told = 0
        self._world = World(new_store(), loaded={})

    def tell(self, story: Story, *, exact: bool = False) -> None:
        """One story. `exact`: it has no troubles and no undo, so that every value can be foretold."""
        if self._told and self._told % STORIES_PER_STORE == 0:
            self._world.connection.close()
            self._world = World(new_store(), loaded={})
        self._told += 1
        _Told(self._fresh(), self.count, exact=exact).all(story)
        for number in range(STRANDS):
            events = tuple(tuple(one for one in turn.strands[number] if one[0] != NOTHING) for turn in story)
            if any(events):
                steps = tuple((turn.step, turn.trouble, turn.mended) for turn in story)
                self.count.histories.add(hash((events, steps)))

    def _fresh(self) -> World:
        for table in ("plans", "plan_operations", "plan_companies", "ledger", "field_bases", "baselines", "quarantine"):
            self._world.connection.execute(f"DELETE FROM sync.{table}")
        crm = VirtualCrm(
            records_per_write=8, pairs_per_write=20, pairs_per_removal=8, pairs_per_archive=12, records_per_archive=4
        )
        crm.costs = msgspec.structs.replace(crm.costs, links_per_page=2)
        return World(self._world.connection, crm, {}, contacts=dict(CONTACTS), loaded=self._world.loaded)


def tell_many(
    teller: Teller, stories: st.SearchStrategy[Story], *, number: int, drawn_with: int, exact: bool = False
) -> None:
    """Draw stories and tell them; one in which something does not hold is made small and raised."""

    @seed(drawn_with)
    @settings(max_examples=number, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(story=stories)
    def told(story: Story) -> None:
        teller.tell(story, exact=exact)

    told()


class _Told:
    """One story on its way."""

    def __init__(self, world: World, count: Count, *, exact: bool) -> None:
        assert isinstance(world.crm, VirtualCrm)
        self.world, self.crm, self.count = world, world.crm, count
        self.past = Past(world, world.crm)
        self.bases = Bases() if exact else None
        self.runs = 0
        self.last: tuple[str, Seen, Seen] | None = None
        world.now = NOW

    def all(self, story: Story) -> None:
        strands = [Strand(self.past, number) for number in range(STRANDS)]
        for strand in strands:
            company = strand.company(0)
            self.world.requests[strand.request_id(0)] = Request("One", votes=(("ann", company), ("bob", company)))
        for turn in story:
            if turn.mended:
                self.crm.mend()
            for strand, happened in zip(strands, turn.strands, strict=True):
                for name, n, v in happened:
                    EVENTS[name](strand, n, v)
                    self.count.events += name != NOTHING
            self._remember_source()
            self._pass_time()
            if turn.step == "undo":
                self._undo(turn.trouble)
            elif turn.step == "sync":
                self._sync(turn.trouble)
        self._end()

    def _remember_source(self) -> None:
        """Where the source says nothing any more, what it said before may stay."""
        for key, desired in wanted(self.world).items():
            for name, value in desired.items():
                if value and not POLICIES[name].clear_when_empty:
                    self.past.typed_by_source[key, name].add(value)

    def _pass_time(self) -> None:
        self.world.now += timedelta(seconds=BETWEEN_STEPS_SECONDS)
        self.crm.pass_time(BETWEEN_STEPS_SECONDS)

    # -- steps

    def _sync(self, trouble: Trouble) -> None:
        if self._gate_is_closed(trouble):
            return
        self.runs += 1
        run_id = f"run-{self.runs:06}"
        self._give_owners()
        before = self._seen()
        calm = self._watched(trouble, lambda: self._plan_and_apply(run_id, trouble))
        after = self._seen()
        self.count.syncs += 1
        self._check(before, after)
        if self.bases is not None:
            assert calm
            self._check_exactly(self.bases, before)
        self.last = (run_id, before, after) if self._wrote(run_id) else None

    def _give_owners(self) -> None:
        """People put somebody in charge of each record, in a field of their own."""
        for record in live_records(self.crm).values():
            record.values.setdefault("owner", f" {record.key} \n")

    def _plan_and_apply(self, run_id: str, trouble: Trouble) -> EndState:
        return self.world.apply(self.world.plan(run_id=run_id), in_flight=trouble.in_flight).state

    def _undo(self, trouble: Trouble) -> None:
        if self.last is None or self._gate_is_closed(trouble):
            return
        run_id, before_run, after_run = self.last
        before = self._seen()
        undo_id = f"undo-of-{run_id}"
        calm = self._watched(trouble, lambda: self.world.undo(run_id, run_id=undo_id).state)
        after = self._seen()
        self.count.undos += 1
        self._check(before, after)
        if calm:
            self._check_undone(before_run, after_run, before, after)
        self.last = None

    def _gate_is_closed(self, trouble: Trouble) -> bool:
        """Ask what a run asks before it plans; a change of the schema must be noticed."""
        if trouble.schema is not None and trouble.schema[1] == 0:
            self._break(trouble.schema[0])
        problems = target_problems(FEATURE_REQUEST, self.crm.live_schema(), link_contacts=True)
        assert {problem.name.partition(".")[2] for problem in problems} == self.crm.broken.keys()
        self.count.held += bool(problems)
        return bool(problems)

    def _break(self, which: int) -> None:
        name, how = CHANGES_OF_SCHEMA[which]
        if name not in self.crm.broken:
            self.crm.break_property(name, how)

    def _watched(self, trouble: Trouble, work: Callable[[], EndState]) -> bool:
        """Do the work while things go wrong; say whether all went well."""
        begun = self.crm.writes
        fates = trouble.fates

        def fate(number: int) -> Fate:
            return fates[number - begun - 1] if number - begun <= len(fates) else "answered"

        def fault(number: int, moment: str) -> None:
            if trouble.schema is not None and (number - begun, moment) == (trouble.schema[1], "before"):
                self._break(trouble.schema[0])
            if trouble.killed is not None:
                killed_at(begun + trouble.killed[0], trouble.killed[1])(number, moment)

        self.crm.fate, self.crm.fault = fate, fault
        try:
            state = work()
        except Killed:
            self.count.killed += 1
            return False
        finally:
            self.count.lost += sum(one != "answered" for one in fates[: self.crm.writes - begun])
            self.crm.fate, self.crm.fault = (lambda _number: "answered"), (lambda _number, _moment: None)
            self._pass_time()
        allowed = {EndState.SUCCEEDED} | ({EndState.RETRY_LATER} if fates else set())
        if self.crm.broken:  # records are refused; when all of the first few are, the rest is not even sent
            allowed |= {EndState.SUCCEEDED_WITH_REJECTS, EndState.FAILED}
        assert state in allowed, state
        return state is EndState.SUCCEEDED and not self.crm.broken

    def _end(self) -> None:
        """The portal is well again: one sync settles everything, and the next has nothing to do."""
        self.crm.mend()
        self._pass_time()
        self._sync(CALM)
        assert self.world.plan(run_id="last").operations == 0
        check_end(self.past, calm=self.bases is not None)

    # -- what must hold

    def _seen(self) -> Seen:
        foreign = {(pair, label) for pair, have in self.crm.pairs.items() for label in have if label[:6] == "other:"}
        return Seen({i: copy.copy(r) for i, r in self._copies()}, foreign)

    def _copies(self) -> list[tuple[str, StoredRecord]]:
        return [(i, StoredRecord(r.key, dict(r.values), r.archived)) for i, r in self.crm.records.items()]

    def _check(self, before: Seen, after: Seen) -> None:
        live_records(self.crm)
        assert after.foreign_labels == before.foreign_labels
        for record_id, record in before.records.items():
            now = after.records[record_id]
            if record.archived or not is_ours(record):
                assert now == record
            theirs = {name: value for name, value in record.values.items() if name not in POLICIES}
            assert {name: value for name, value in now.values.items() if name not in POLICIES} == theirs
            self.count.unowned_compared += len(theirs)
            assert now.archived == record.archived
        removed = self.past.gone | before.archived_keys
        if any(is_ours(record) for record in before.records.values()):  # else the portal was emptied: all is made again
            assert not removed & {after.records[i].key for i in after.records.keys() - before.records.keys()}
        else:
            self.past.gone.clear()

    def _check_exactly(self, bases: Bases, before: Seen) -> None:
        """Every value of every record we made is as foretold."""
        desired, live = wanted(self.world), live_records(self.crm)
        earlier = {r.key: fields(r) for r in before.records.values() if not r.archived}
        for key, record in live.items():
            if key in self.past.by_hand or key not in desired:
                bases.known.pop(key, None)
            elif key not in earlier:
                assert fields(record) == desired[key]
                bases.known[key] = dict(desired[key])
            elif key in bases.known:
                assert fields(record) == bases.expected(key, earlier[key], desired[key]), key

    def _check_undone(self, before_run: Seen, after_run: Seen, since: Seen, now: Seen) -> None:
        """Fields the run changed are as before it, unless somebody changed them since; what it made is retired."""
        for record_id, record in now.records.items():
            made = record_id not in before_run.records
            if record_id not in after_run.records or record.archived or not is_ours(record):
                continue
            if made:
                assert fields(record)[RETIRED_REASON], record.key
                continue
            old, written, found = (fields(seen.records[record_id]) for seen in (before_run, after_run, since))
            expected = {n: old[n] if found[n] == written[n] else found[n] for n in STATE_FIELDS}
            self._compare_undone(fields(record), expected, old, written)

    def _compare_undone(self, final: Fields, expected: Fields, old: Fields, written: Fields) -> None:
        assert final == expected
        put_back = [name for name in STATE_FIELDS if old[name] != written[name] and expected[name] == old[name]]
        self.count.owned_restored += len(put_back)

    def _wrote(self, run_id: str) -> bool:
        found = self.world.connection.execute(
            "SELECT count(*) FROM sync.ledger WHERE run_id = $run_id", {"run_id": run_id}
        ).fetchall()
        return bool(found[0][0])
