"""The bench each fault gets: a small world, and the means to disturb it and to run the product on it.

An edit of the world that an undisturbed world shall have too goes through `bench.both`.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest import mock

from integration_assets.connectors import limiter
from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike
from integration_assets_tests.proofs.faults.pictures import Picture, picture, theirs
from integration_assets_tests.proofs.faults.proxy import Proxy, proxy_before
from integration_assets_tests.proofs.faults.starts import Start, Starts
from integration_assets_tests.proofs.faults.tampering import Answered, Matches, Tampering, tampered
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.collected_log import collected
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import Ran, World, is_write, read_json
from integration_assets_tests.support.killing import Place, Seen, Strike, Watch
from integration_assets_tests.support.processes import OUTPUT, WarmParent, run_cold, warm_parent
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.snapshots import Snapshot, copy_of

SETTLED_SECONDS = 0.1
"""How long a look-alike may still work on requests of a process that is dead."""

System = Literal["canny", "hubspot", "production", "slack"]


@dataclass(frozen=True)
class FaultCase:
    """One fault: how it disturbs, where it begins, and the most requests a disturbed run may send."""

    id: str
    title: str
    disturb: Callable[[Bench], None]
    start: Start
    requests: int


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
        with (
            self._noted(arguments) as run,
            records,
            short_waits(),
            self._small_batches(),
            _log() as lines,
        ):
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


def _log() -> AbstractContextManager[list[str]]:
    """What the product says at any level, before a handler could mask it."""
    return collected(logging.getLogger("integration_assets"), logging.DEBUG, logging.LogRecord.getMessage)


def _has_summary(arguments: tuple[str, ...]) -> bool:
    return arguments[:1] in (("sync",), ("plan",), ("undo",))
