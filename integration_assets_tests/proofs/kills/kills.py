"""Real processes, killed by SIGKILL at a request or at a named place in the product, and what the next run made of it.

The recovery is the whole run after the kill, in a process
forked from one that has imported everything; what a new interpreter adds is measured once for each scenario.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import mean

from integration_assets_tests.proofs.kills.kill_and_recover import Kill, Outcome, carry_out, schedule
from integration_assets_tests.proofs.kills.kill_scenarios import PointKill, RequestKill, scenarios
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.fault_points import POINTS

MOST_MEAN_SECONDS = 5.0
SHOWN = 3


@proof(
    "kills",
    "kills",
    "A run killed at any moment is mended by the next: nothing twice, nothing lost.",
    whole=60,
    small=20,
    unit="kills",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """Duplicates, losses and whatever else was wrong; how long the recoveries took; which places were died at."""
    wanted = scale.count
    outcomes: list[Outcome] = []
    with scenarios() as (stage, known):
        began = time.monotonic()
        for number, kill in enumerate(schedule(known, wanted, scale.seed), start=1):
            outcomes.append(carry_out(stage, known[kill.scenario], kill))
            _progress(number, wanted, time.monotonic() - began, outcomes[-1])
        # Few kills reach few places and say little about time: a small form looks at nothing but what was left.
        cold = [
            carry_out(stage, scenario, Kill(scenario.name, RequestKill(1, "answered"), again=False), cold=True)
            for scenario in known.values()
            if wanted >= len(POINTS) * 2
        ]
        requests = sum(len(scenario.trace) for scenario in known.values())
    yield truth(outcomes, cold, wanted, len(known))
    if cold:
        yield recovery_time(outcomes, cold)
        yield places(outcomes, requests)


def truth(outcomes: list[Outcome], cold: list[Outcome], wanted: int, scenario_count: int) -> Row:
    """What was wrong after any of the kills, and whether there were as many as wanted."""
    everything = [*outcomes, *cold]
    killed = sum(outcome.killed for outcome in outcomes)
    duplicates, lost = (sum(len(getattr(one, name)) for one in everything) for name in ("duplicates", "lost"))
    wrong = [f"{one.kill}: {'; '.join(one.wrong[:SHOWN])}" for one in everything if one.wrong]
    further = sum(outcome.killed and outcome.kill.again for outcome in outcomes)
    shown = f"; {' | '.join(wrong[:SHOWN])}" if wrong else ""
    return Row(
        "kill -9: duplicates, lost, wrong otherwise",
        f"{duplicates}, {lost}, {len(wrong)} of {killed:,} kills in {scenario_count} scenarios "
        f"({wanted - killed} orders came too late; {further} further runs were to send no write){shown}",
        f"0, 0, 0 of {wanted}",
        not wrong and killed >= wanted * 0.98,
    )


def recovery_time(outcomes: list[Outcome], cold: list[Outcome]) -> Row:
    """How long the runs after the kills took."""
    seconds = [outcome.recovery_seconds for outcome in outcomes if outcome.killed]
    in_new = [outcome.recovery_seconds for outcome in cold if outcome.killed]
    result = f"{mean(seconds):.2f} s on average, {max(seconds):.2f} s at the most" if seconds else "none"
    if in_new:
        result += f"; {mean(in_new):.2f} s in {len(in_new)} new interpreters"
    return Row(
        "recovery after kill -9",
        result,
        f"at most {MOST_MEAN_SECONDS:g} s on average",
        bool(seconds) and mean(seconds) <= MOST_MEAN_SECONDS,
    )


def places(outcomes: list[Outcome], requests: int) -> Row:
    """Which fault points and requests were died at."""
    moments = {(outcome.kill.scenario, outcome.kill.moment) for outcome in outcomes if outcome.killed}
    points = {moment.death.point for _, moment in moments if isinstance(moment, PointKill)}
    numbers = {(name, moment.number) for name, moment in moments if isinstance(moment, RequestKill)}
    return Row(
        "places of death",
        f"{len(points)} of {len(POINTS)} fault points, {len(numbers)} of {requests} requests, "
        f"{len(moments)} different moments",
        f"all {len(POINTS)} fault points",
        len(points) == len(POINTS),
    )


def _progress(number: int, wanted: int, seconds: float, outcome: Outcome) -> None:
    state = "; ".join(outcome.wrong[:SHOWN]) or ("" if outcome.killed else "came too late")
    sys.stderr.write(f"{number}/{wanted} {seconds:.0f} s · {outcome.kill} {state}\n")
    sys.stderr.flush()
