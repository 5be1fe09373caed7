"""The registry of faults, and the bench each of them gets: a small world, and the means to disturb it.

    @fault("B3", "502 after the batch was committed")
    def b3(bench: Bench) -> None:
        bench.inject("hubspot", is_upsert, status=502, after_commit=True)
        bench.run("sync")
        bench.expect(state="SUCCEEDED")

When the function returns, the disturbances are taken away, the product runs once more undisturbed and once again after
that, and `checker` judges. An edit of the world that an undisturbed world shall have too goes through `bench.both`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing.util
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from integration_assets.connectors import limiter
from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike
from integration_assets_tests.proofs.faults.pictures import Picture, picture, theirs
from integration_assets_tests.proofs.faults.proxy import Proxy, proxy_before
from integration_assets_tests.proofs.faults.starts import Start, Starts
from integration_assets_tests.proofs.faults.tampering import Answered, Matches, Tampering, tampered
from integration_assets_tests.proofs.registry import PROOFS, Proof, Row, Scale, register
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.harness import Ran, World, is_write
from integration_assets_tests.support.killing import Place, Seen, Strike, Watch
from integration_assets_tests.support.processes import OUTPUT, WarmParent, run_cold, warm_parent
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.snapshots import Snapshot, copy_of, records_in_memory

SETTLED_SECONDS = 0.1
"""How long a look-alike may still work on requests of a process that is dead."""

System = Literal["canny", "hubspot", "production", "slack"]

SAMPLE_EVERY = 3
"""The small form takes every third fault of a group, beginning with its first."""


@dataclass(frozen=True)
class FaultCase:
    """One fault: how it disturbs, where it begins, and the most requests a disturbed run may send."""

    id: str
    title: str
    disturb: Callable[[Bench], None]
    start: Start
    requests: int

    def __call__(self, _scale: Scale) -> Iterator[Row]:
        """Carry it out in the worlds that the faults of this process share."""
        shop = _shared_workshop()
        shop.seen.clear()
        state, seen = shop.carry_out(self), shop.seen
        yield Row(
            self.title,
            state,
            "no key twice, nothing lost, an honest end",
            held=True,
            detail=f"({seen['verified']:,} of {seen['written']:,} writes read back, {seen['Slack messages']} in Slack)",
        )


def fault(
    fault_id: str, title: str, *, start: Start = "ready", requests: int = 200
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Register a fault. Its id is the letter of its group and its number there."""

    def registered(disturb: Callable[[Bench], None]) -> Callable[[Bench], None]:
        case = FaultCase(fault_id, title, disturb, start, requests)
        in_sample = number_of(fault_id) % SAMPLE_EVERY == 1
        register(Proof(fault_id, "faults", title, case, disturb.__module__, small=int(in_sample)))
        return disturb

    return registered


def number_of(fault_id: str) -> int:
    """The number of a fault within its group."""
    return int(fault_id[1:].rstrip("f"))


def cases() -> dict[str, FaultCase]:
    """All registered faults by id, group by group."""
    found = [one.run for one in PROOFS.values() if isinstance(one.run, FaultCase)]
    return {case.id: case for case in sorted(found, key=lambda case: (case.id[0], number_of(case.id)))}


_workshops: list[Workshop] = []


def _shared_workshop() -> Workshop:
    """The workshop of this process; its worlds go with the process."""
    if not _workshops:
        stack = ExitStack()
        _workshops.append(stack.enter_context(workshop()))
        multiprocessing.util.Finalize(None, stack.close, exitpriority=10)
    return _workshops[0]


@dataclass
class Run:
    """One command that ran on the bench, with what the servers held before and after it and the requests it sent.

    `died`: its process was killed on purpose. `disturbed`: the fault was in force.
    """

    command: tuple[str, ...]
    ran: Ran
    before: Picture
    after: Picture
    requests: list[tuple[System, LoggedRequest]]
    messages: list[dict[str, Any]]
    disturbed: bool
    died: bool = False
    log: str = ""
    beside: list[Ran] = field(default_factory=list)
    """Other runs that wrote to the same portal at the same time."""

    @property
    def writes(self) -> list[LoggedRequest]:
        """Requests to either portal that can change it."""
        return [
            request for system, request in self.requests if system in ("hubspot", "production") and is_write(request)
        ]


@dataclass
class Bench:
    """What a fault has to work with."""

    case: FaultCase
    world: World
    stack: ExitStack
    workshop: Workshop
    runs: list[Run] = field(default_factory=list)
    edits: list[Callable[[World], None]] = field(default_factory=list)
    twin: Callable[[World], None] | None = None
    """What an undisturbed world goes through instead of the edits and one sync; None: just those."""
    spared: set[str] = field(default_factory=set)
    """Things of others (names as in `pictures.theirs`) that people changed while a run was going on."""
    clean_runs: int = 1
    """Undisturbed runs it may take until all is well; 0 when the fault has made the undisturbed run itself."""
    clean_state: str = "SUCCEEDED"
    """How the undisturbed run has to end."""
    may_repeat_writes: bool = False
    """The fault stays in the data: a refused record is tried again by every run."""
    watch: Watch = field(default_factory=Watch)
    disturbed: bool = True
    dry: bool = False
    """Every sync is a dry run, and nothing is expected of it."""
    _struck: list[bool] = field(default_factory=list)
    _tamperings: dict[str, list[Tampering]] = field(default_factory=dict)
    _proxies: dict[str, Proxy] = field(default_factory=dict)
    _variables: dict[str, str | None] = field(default_factory=dict)
    _batch_sizes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("canny", "hubspot", "production", "slack"):
            self._tamperings[name] = tampered(self.lookalike(name))
        self.watch.over(self.world.sandbox)

    # -- disturbing

    def lookalike(self, system: str) -> Lookalike:
        """The look-alike of a system; `hubspot` is the sandbox portal."""
        sandbox = self.world.sandbox
        return {
            "canny": sandbox.canny,
            "hubspot": sandbox.hubspot_sandbox,
            "production": sandbox.hubspot_production,
            "slack": sandbox.slack,
        }[system]

    def inject(self, system: System, matches: Matches, *, times: int | None = 1, **how: Any) -> Fault:
        """Answer the next requests that match otherwise, or not at all: see `sandbox.lookalike.Fault`."""
        return self.add(system, Fault(matches=matches, times=times, **how))

    def add(self, system: System, made: Fault) -> Fault:
        """Put a ready-made fault (`sandbox.hubspot.faults`) into a look-alike. One that never strikes is a mistake."""
        matches, number = made.matches, len(self._struck)
        self._struck.append(False)

        def counted(request: LoggedRequest) -> bool:
            hit = matches(request)
            self._struck[number] = self._struck[number] or hit
            return hit

        if made.status is None and not made.close and not made.delay:
            self._struck[number] = True  # it only watches, and may act from its `matches`
        made.matches = counted
        self.lookalike(system).faults.append(made)
        return made

    def tamper(
        self, system: System, matches: Matches, change: Callable[[Answered], None], *, times: int | None = 1
    ) -> Tampering:
        """Change the next answers to requests that match, after the look-alike has done its work."""
        made = Tampering(matches, change, times)
        self._tamperings[system].append(made)
        return made

    def proxied(self, system: System) -> Proxy:
        """Put a raw socket server before a system; the product is pointed at it until the disturbances end."""
        name, suffix = {
            "canny": ("CANNY_BASE_URL", "/api"),
            "hubspot": ("HUBSPOT_SANDBOX_BASE_URL", ""),
            "production": ("HUBSPOT_PRODUCTION_BASE_URL", ""),
            "slack": ("SLACK_BASE_URL", "/api/"),
        }[system]
        upstream = self.world.addresses.environment()[name].removesuffix(suffix)
        proxy = self.stack.enter_context(proxy_before(upstream))
        self._proxies[system] = proxy
        self._variables[name] = proxy.url + suffix
        return proxy

    def variable(self, name: str, value: str | None) -> None:
        """Set an environment variable of the product until the disturbances end."""
        self._variables[name] = value

    def batch_sizes(self, **sizes: int) -> None:
        """Make the connector's batches smaller: `records_per_write`, `pairs_per_write`, ..."""
        self._batch_sizes.update(sizes)

    def both(self, edit: Callable[[World], None]) -> None:
        """Change the world, and the undisturbed world it is compared with, in the same way. Not while a run goes on."""
        edit(self.world)
        self.edits.append(edit)

    def meanwhile(self, edit: Callable[[World], None]) -> None:
        """Change the world, and its twin, while a run goes on: to be called from a fault's `matches`.

        What the edit changes of other people's data is not held against the product.
        """
        before = theirs(self.world.portal)
        edit(self.world)
        after = theirs(self.world.portal)
        self.spared |= {name for name in {*before, *after} if before.get(name) != after.get(name)}
        self.edits.append(edit)

    def calm(self) -> None:
        """Take all disturbances away."""
        require(all(self._struck), f"{self._struck.count(False)} of the injected faults never struck")
        for system in ("canny", "hubspot", "production", "slack"):
            idle = [one for one in self._tamperings[system] if not one.done]
            require(not idle, f"{len(idle)} tamperings with answers of {system} never happened")
            self.lookalike(system).faults.clear()
            self._tamperings[system].clear()
        self._variables.clear()
        self._batch_sizes.clear()
        self.disturbed = False

    # -- running

    def run(self, *arguments: str, **variables: str | None) -> Ran:
        """Run a command in this process, with the product's own waits shortened; `--json` is read into `summary`."""
        records = contextlib.nullcontext() if self.disturbed and not self.dry else records_in_memory()
        if self.dry and arguments[0] == "sync":
            arguments = ("sync", "--dry-run", *arguments[1:])
        with self._noted(arguments) as run, records, short_waits(), self._small_batches(), _log() as lines:
            # A process of its own would begin with fresh counters; so does this one.
            limiter._limiters.clear()
            seen: dict[str, Any] = {**self._variables, **variables}
            run.ran = self.world.run(*arguments, json_file=_has_summary(arguments), **seen)
            run.log = "\n".join(lines)
        return run.ran

    def process(
        self,
        *arguments: str,
        kill: Place | None = None,
        strike: Strike | None = None,
        reference: list[Seen] | None = None,
        cold: bool = False,
        **variables: str | None,
    ) -> Ran:
        """Run a command as a process of its own: forked from one that has imported everything, or `cold`.

        `kill` is the place of its death: the sort of request (`Seen.sort`, or "any write"), its number, and when; or
        `strike`, placed by `reference`, the trace of an undisturbed run.
        A fork keeps Dagster's records in memory; waits are as long as the product's.
        """
        home = self.world.home
        target = home / "asked-for.json"
        target.unlink(missing_ok=True)
        (home / OUTPUT).unlink(missing_ok=True)
        environment = self.world.environment(**{**self._variables, **variables})
        options = ["--json", str(target)] if _has_summary(arguments) else []
        self.watch.arm_at((*strike.place(reference or []), strike) if strike else kill)
        with self._noted(arguments) as run:
            command, started = [*arguments, *options], self.watch.started
            if cold:
                code = run_cold(command, environment, home, on_start=started)
            else:
                code = self.workshop.warm().run(
                    command, environment, home, on_start=started, batch_sizes=self._batch_sizes
                )
            self.watch.ended()
            if code < 0:
                time.sleep(SETTLED_SECONDS)  # what was on its way when the process died arrives
            text = (home / OUTPUT).read_text(encoding="utf-8") if (home / OUTPUT).exists() else ""
            run.ran, run.died = Ran(code, text, "", read_json(target)), code < 0
        return run.ran

    def start(self, *arguments: str, **variables: str | None) -> subprocess.Popen[str]:
        """Start a command as a person does, in a new interpreter. End it with `world.finish`; it is not noted."""
        return self.world.start(*arguments, **{**self._variables, **variables})

    @contextmanager
    def _noted(self, arguments: tuple[str, ...]) -> Iterator[Run]:
        """Take pictures before and after, and collect what the servers logged in between."""
        systems: tuple[System, ...] = ("canny", "hubspot", "production", "slack")
        marks = {system: len(self.lookalike(system).requests) for system in systems}
        before, told = picture(self.world.sandbox), len(self.world.sandbox.team.messages)
        run = Run(arguments, Ran(0, "", ""), before, before, [], [], self.disturbed)
        yield run
        run.after = picture(self.world.sandbox)
        run.requests = [
            (system, request) for system in systems for request in self.lookalike(system).requests[marks[system] :]
        ]
        run.messages = self.world.sandbox.team.messages[told:]
        self.runs.append(run)

    @contextmanager
    def _small_batches(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name, size in self._batch_sizes.items():
                stack.enter_context(
                    mock.patch(f"integration_assets.connectors.crm.hubspot.connector.HubSpotCrm.{name}", size)
                )
            yield

    @contextmanager
    def sibling(self) -> Iterator[Bench]:
        """Another bench with a fresh copy of the world this one began with; nothing of it is checked."""
        with ExitStack() as stack:
            world = stack.enter_context(self.workshop.starts.copy(self.case.start))
            yield Bench(self.case, world, stack, self.workshop)

    @contextmanager
    def fork(self) -> Iterator[Bench]:
        """Another bench with a copy of this world as it is now, and the same batch sizes; nothing of it is checked."""
        with ExitStack() as stack:
            world = stack.enter_context(copy_of(Snapshot(self.world.sandbox, self.world.home)))
            made = Bench(self.case, world, stack, self.workshop)
            made.batch_sizes(**self._batch_sizes)
            yield made

    # -- expecting

    @property
    def last(self) -> Run:
        """The last run."""
        return self.runs[-1]

    def expect(
        self,
        *,
        state: str | None = None,
        exit: int | None = None,  # noqa: A002 - the word everybody uses for it
        says: tuple[str, ...] | str = (),
    ) -> None:
        """What the last run must have ended as, and words its output must hold."""
        if self.dry:
            return
        ran = self.last.ran
        seen = ran.summary["state"] if ran.summary else None
        if state is not None:
            require(seen == state, f"state {state} expected, it was {seen} (exit {ran.code}): {tail(ran)}")
        if exit is not None:
            require(ran.code == exit, f"exit {exit} expected, it was {ran.code} ({seen}): {tail(ran)}")
        for words in (says,) if isinstance(says, str) else says:
            require(words in ran.out + ran.err, f"the output does not say {words!r}: {tail(ran)}")


def require(holds: object, what: str) -> None:
    """Fail with one line unless it holds."""
    if not holds:
        raise BrokenError(what)


def tail(ran: Ran) -> str:
    """The end of what a run printed."""
    return " | ".join((ran.out + ran.err).strip().splitlines()[-12:])[-900:]


# -- a fault from beginning to end


@dataclass
class Workshop:
    """What the faults run in one process share."""

    starts: Starts
    stack: ExitStack
    _parent: WarmParent | None = None
    twins: dict[Start, Picture] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    """What the checker has compared: `Slack messages`, and what runs reported as `written` and as `verified`."""

    def warm(self) -> WarmParent:
        """The process that forks commands, started when first asked for."""
        if self._parent is None:
            self._parent = self.stack.enter_context(warm_parent())
        return self._parent

    def carry_out(self, case: FaultCase) -> str:
        """Run one fault with everything that follows; returns the state its last disturbed run ended in.

        Raises:
            BrokenError: an expectation or an invariant does not hold.
        """
        from integration_assets_tests.proofs.faults import checker  # the checker knows the bench

        with ExitStack() as stack:
            world = stack.enter_context(self.starts.copy(case.start))
            bench = Bench(case, world, stack, self)
            case.disturb(bench)
            state = _state(bench)
            bench.calm()
            clean = checker.recover(bench)
            expected = self._undisturbed(bench)
            checker.check(bench, clean, expected)
        return state

    def carry_out_dry(self, case: FaultCase) -> tuple[int, int]:
        """Disturb dry runs in the way of a fault: how many there were, and how many writes the portals were sent.

        What the fault expects of a run that writes is not held against a dry one; the first thing it needs of such a
        run ends it.
        """
        with ExitStack() as stack:
            world = stack.enter_context(self.starts.copy(case.start))
            bench = Bench(case, world, stack, self, dry=True)
            with contextlib.suppress(BrokenError, LookupError, TypeError, StopIteration):
                case.disturb(bench)
            # The portals' own logs: a fault may take a run of its own making off the list.
            writes = [
                one for name in ("hubspot", "production") for one in bench.lookalike(name).requests if is_write(one)
            ]
            return sum(run.command[:2] == ("sync", "--dry-run") for run in bench.runs), len(writes)

    def _undisturbed(self, bench: Bench) -> Picture:
        """What the servers hold in a world where nothing went wrong."""
        start, plain = bench.case.start, not bench.edits and bench.twin is None
        if plain and start in self.twins:
            return self.twins[start]
        with self.starts.copy(start) as world:
            if bench.twin is not None:
                bench.twin(world)
            else:
                for edit in bench.edits:
                    edit(world)
                if start == "new":
                    world.set_up()
                with records_in_memory():
                    world.run("sync")
            found = picture(world.sandbox)
        if plain:
            self.twins[start] = found
        return found


def _state(bench: Bench) -> str:
    run = next((run for run in reversed(bench.runs) if run.disturbed), None)
    if run is None:
        return "no run"
    if run.died:
        return "killed"
    return str(run.ran.summary["state"]) if run.ran.summary else f"exit {run.ran.code}"


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A workshop for the length of a block."""
    with ExitStack() as stack, Starts() as starts:
        yield Workshop(starts, stack)


def _has_summary(arguments: tuple[str, ...]) -> bool:
    return arguments[:1] in (("sync",), ("plan",), ("undo",))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@contextmanager
def _log() -> Iterator[list[str]]:
    """Every line logged in this process, whatever its level: secrets must not be in any of them."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, collector = logging.getLogger(), Collector(logging.DEBUG)
    product = logging.getLogger("integration_assets")
    level = product.level
    root.addHandler(collector)
    product.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(collector)
        product.setLevel(level)
