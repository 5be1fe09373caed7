"""Register faults, and carry each out from its beginning to the checker's verdict.

    @fault("B3", "502 after the batch was committed")
    def b3(bench: Bench) -> None:
        bench.inject("hubspot", is_upsert, status=502, after_commit=True)
        bench.run("sync")
        bench.expect(state="SUCCEEDED")

When the function returns, the disturbances are taken away, the product runs once more undisturbed and once again after
that, and `checker` judges.
"""

from __future__ import annotations

import contextlib
import multiprocessing.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from integration_assets_tests.proofs.faults import checker
from integration_assets_tests.proofs.faults.bench import Bench, FaultCase, Workshop
from integration_assets_tests.proofs.faults.pictures import Picture, picture
from integration_assets_tests.proofs.faults.starts import Start, Starts
from integration_assets_tests.proofs.registry import PROOFS, Proof, Row, Scale, register
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import is_write

SAMPLE_EVERY = 3
"""The small form takes every third fault of a group, beginning with its first."""


def fault(
    fault_id: str, title: str, *, start: Start = "ready", requests: int = 200
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Register a fault. Its id is the letter of its group and its number there."""

    def registered(disturb: Callable[[Bench], None]) -> Callable[[Bench], None]:
        case = FaultCase(fault_id, title, disturb, start, requests)
        in_sample = number_of(fault_id) % SAMPLE_EVERY == 1
        register(Proof(fault_id, "faults", title, partial(prove, case), disturb.__module__, small=int(in_sample)))
        return disturb

    return registered


def prove(case: FaultCase, _scale: Scale) -> Iterator[Row]:
    """Carry a fault out in the worlds that the faults of this process share."""
    shop = _shared_workshop()
    shop.seen.clear()
    state, seen = carry_out(shop, case), shop.seen
    yield Row(
        case.title,
        state,
        "no key twice, nothing lost, an honest end",
        held=True,
        detail=f"({seen['verified']:,} of {seen['written']:,} writes read back, {seen['Slack messages']} in Slack)",
    )


def number_of(fault_id: str) -> int:
    """The number of a fault within its group."""
    return int(fault_id[1:].rstrip("f"))


def cases() -> dict[str, FaultCase]:
    """All registered faults by id, group by group."""
    runs = [one.run for one in PROOFS.values() if isinstance(one.run, partial) and one.kind == "faults"]
    found = [run.args[0] for run in runs if isinstance(run.args[0], FaultCase)]
    return {case.id: case for case in sorted(found, key=lambda case: (case.id[0], number_of(case.id)))}


_workshops: list[Workshop] = []


def _shared_workshop() -> Workshop:
    """The workshop of this process; its worlds go with the process."""
    if not _workshops:
        stack = ExitStack()
        _workshops.append(stack.enter_context(workshop()))
        multiprocessing.util.Finalize(None, stack.close, exitpriority=10)
    return _workshops[0]


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A workshop for the length of a block."""
    with ExitStack() as stack, Starts() as starts:
        yield Workshop(starts, stack)


def carry_out(shop: Workshop, case: FaultCase) -> str:
    """Run one fault with everything that follows; returns the state its last disturbed run ended in.

    Raises:
        BrokenError: an expectation or an invariant does not hold.
    """
    with ExitStack() as stack:
        world = stack.enter_context(shop.starts.copy(case.start))
        bench = Bench(case, world, stack, shop)
        case.disturb(bench)
        state = _state(bench)
        bench.calm()
        clean = checker.recover(bench)
        expected = _undisturbed(shop, bench)
        checker.check(bench, clean, expected)
    return state


def carry_out_dry(shop: Workshop, case: FaultCase) -> tuple[int, int]:
    """Disturb dry runs in the way of a fault: how many there were, and how many writes the portals were sent.

    What the fault expects of a run that writes is not held against a dry one; the first thing it needs of such a
    run ends it.
    """
    with ExitStack() as stack:
        world = stack.enter_context(shop.starts.copy(case.start))
        bench = Bench(case, world, stack, shop, dry=True)
        with contextlib.suppress(BrokenError, LookupError, TypeError, StopIteration):
            case.disturb(bench)
        # The portals' own logs: a fault may take a run of its own making off the list.
        writes = [one for name in ("hubspot", "production") for one in bench.lookalike(name).requests if is_write(one)]
        return sum(run.command[:2] == ("sync", "--dry-run") for run in bench.runs), len(writes)


def _undisturbed(shop: Workshop, bench: Bench) -> Picture:
    """What the servers hold in a world where nothing went wrong."""
    start, plain = bench.case.start, not bench.edits and bench.twin is None
    if plain and start in shop.twins:
        return shop.twins[start]
    with shop.starts.copy(start) as world:
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
        shop.twins[start] = found
    return found


def _state(bench: Bench) -> str:
    run = next((run for run in reversed(bench.runs) if run.disturbed), None)
    if run is None:
        return "no run"
    if run.died:
        return "killed"
    return str(run.ran.summary["state"]) if run.ran.summary else f"exit {run.ran.code}"
