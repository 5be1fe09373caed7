"""The story that many tenants go through, and what must hold at its end.

Every four simulated hours each tenant has a run, as a schedule starts it. Before each, people change things in both
systems. Each tenant meets all troubles of `troubles.TROUBLES`, from another one on, with runs in between that nothing
disturbs; half-way, all stores become those of an earlier version, some of them in the middle of their upgrade.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb

from integration_assets.reporting.alert_places import alerts_path, read_alerts
from integration_assets_tests.proofs.kills.kill_and_recover import NONE_OF_THESE, WHENS
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.proofs.soak.happenings import Subject, certainly_changed, company_names, happen
from integration_assets_tests.proofs.soak.installation import (
    KEEP_DAYS,
    MIGRATIONS_BEHIND,
    VARIABLES,
    Soaked,
    Weight,
    as_before,
)
from integration_assets_tests.proofs.soak.troubles import SUCCEEDED, TROUBLES, Mend, Trouble
from integration_assets_tests.proofs.soak.truth import NOTE, truth_of_small_world
from integration_assets_tests.support.harness import OBJECT
from integration_assets_tests.support.installation import installation
from integration_assets_tests.support.killing import Strike, Watch
from integration_assets_tests.support.simulated_time import simulated_time
from integration_assets_tests.support.small_world import CONTACTS
from integration_assets_tests.support.snapshots import folder

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 4
RUNS_A_DAY = 24 // HOURS
DAYS, TENANTS = 14, 20
MOST_HAPPENINGS = 3
"""Before each run, at most."""
CALM_RUNS = 2
"""Between two troubles, at most, and at the very end."""
KILLED = -9
LEFT_BEHIND = ("*.writing", "*.wal", "*.tmp", "*.older")
"""Files of work that was broken off."""
MORE_MEMORY = 1.2
"""By what factor the runs of the last week may take more memory than those of the first."""


@dataclass
class Story:
    """What was done, and what there was at the end of each week."""

    runs: int = 0
    killed: int = 0
    seconds: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    weeks: list[Weight] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    requests: int = 0
    messages: int = 0
    happened: int = 0


@dataclass
class Course:
    """Where a tenant is among its troubles. `left`: runs that still meet the present one; `calm`: that meet none."""

    subject: Subject
    watch: Watch
    next: int
    trouble: Trouble | None = None
    mend: Mend | None = None
    left: int = 0
    calm: int = 1


@proof(
    "soak",
    "histories",
    "After weeks of edits, outages, kills and an upgrade the CRM equals the truth, and nothing grows without bound.",
    whole=TENANTS * DAYS,
    small=2,
    unit="tenants' days",
    alone=True,
)
def soak(scale: Scale) -> Iterator[Row]:
    """Up to two weeks; of fewer days than that, two tenants."""
    tenants = max(2, scale.count // DAYS)
    yield from rows(tell(tenants, max(1, scale.count // tenants), scale.seed), tenants, scale.count // tenants)


def tell(tenants: int, days: int, seed: int, say: Callable[[str], object] = lambda _: None) -> Story:
    """Tell the story of so many tenants and simulated days; `say` is told of each day that is over."""
    story = Story()
    names = [f"tenant-{number + 1:03}" for number in range(tenants)]
    began = time.process_time()
    with ExitStack() as stack:
        clock = stack.enter_context(simulated_time(BEGIN))
        made = stack.enter_context(installation(stack.enter_context(folder()), *names))
        made.variables = VARIABLES
        soaked = Soaked(made, clock)
        courses = [_begun(soaked, name, place, seed) for place, name in enumerate(names)]
        slots = days * RUNS_A_DAY
        memory = 0
        for slot in range(slots):
            clock.set(BEGIN + timedelta(hours=HOURS * (slot + 1)))
            if slot == slots // 2:
                _upgrade(soaked, courses)
            for course in courses:
                memory = max(memory, _turn(soaked, course, story, calm=slot >= slots - CALM_RUNS))
            if (slot + 1) % RUNS_A_DAY == 0:
                soaked.prune()
                say(f"day {(slot + 1) // RUNS_A_DAY} of {days}: {story.runs} runs, {story.killed} of them killed\n")
            if (slot + 1) % (7 * RUNS_A_DAY) == 0 or slot == slots - 1:
                memory = max(memory, *(_measured(soaked, course, story) for course in courses[:2]))
                story.weeks.append(soaked.weight(memory))
                say(f"{_words(story.weeks[-1], tenants)}; {memory / 1e6:.0f} MB of memory a run\n")
                memory = 0
        story.seconds = time.process_time() - began
        for course in courses:
            _compare(soaked, course.subject, story)
    return story


def _begun(soaked: Soaked, name: str, place: int, seed: int) -> Course:
    """A registered tenant whose portal is set up, with a property of the people's own and a request nobody can use."""
    made, world = soaked.made, soaked.made.worlds[name]
    made.register(name)
    made.good("setup", "--tenant", name, "--yes")
    world.portal.define_property(OBJECT, {"name": NOTE})
    world.add_request("   ")
    draw = random.Random(f"{seed}/{name}")
    names = {
        request: world.request_id(request)
        for request in ("dark mode", "csv export", "crash", "single sign-on", "themes")
    }
    subject = Subject(name, world, truth_of_small_world(names), draw)
    watch = Watch()
    watch.over(world.sandbox)
    return Course(subject, watch, next=place * 5)


def _turn(soaked: Soaked, course: Course, story: Story, *, calm: bool) -> int:
    """What happens before one run of one tenant, and the run; its memory, where it was measured."""
    _choose(soaked, course, story, calm=calm)
    one, trouble = course.subject, course.trouble
    happen(one, one.draw.randrange(MOST_HAPPENINGS + 1))
    story.runs += 1
    one.world.forget_requests()
    if trouble is not None and trouble.kills:
        return _killed(soaked, course, story)
    code, why = soaked.scheduled(one.name)
    expected = trouble.code if trouble else SUCCEEDED
    if code != expected:
        said = trouble.name if trouble else "nothing"
        raise BrokenError(f"{one.name}: exit {code}, not {expected}, with {said} in its way: {why}")
    if trouble is not None and trouble.code != SUCCEEDED:
        one.truth.failed(trouble.name, trouble.title)
    else:
        one.truth.well()
        one.settled = True
    return 0


def _choose(soaked: Soaked, course: Course, story: Story, *, calm: bool) -> None:
    """Put right what has lasted long enough, and begin what comes next."""
    if course.mend is not None and (course.left == 0 or calm):
        course.mend()
        course.trouble = course.mend = None
        course.calm = course.subject.draw.randrange(CALM_RUNS + 1)
    if course.trouble is not None:
        course.left -= 1
    elif course.calm or calm or not course.subject.live():
        course.calm = max(0, course.calm - 1)
    else:
        trouble = TROUBLES[course.next % len(TROUBLES)]
        course.next += 1
        course.trouble, course.mend = trouble, trouble.begin(soaked.made, course.subject)
        course.left = course.subject.draw.randrange(trouble.longest)
        story.met[trouble.name] += 1


def _killed(soaked: Soaked, course: Course, story: Story) -> int:
    """A run that dies at one of its requests: at its first write, before or after that was done, or while it reads."""
    one = course.subject
    certainly_changed(one)
    when = one.draw.choice(WHENS)
    sort, number = one.draw.choice((("any write", 1), ("", 3), ("", 9), ("any write", 1)))
    code, memory = soaked.typed(one.name, course.watch, (sort, number, Strike("any", 0.0, when)))
    if code != KILLED:
        raise BrokenError(f"{one.name}: the run that was to be killed ended {code}")
    one.settled = False
    story.killed += 1
    return memory


def _measured(soaked: Soaked, course: Course, story: Story) -> int:
    """A run in a process of its own, which must end well where nothing is in its way; its memory."""
    if course.trouble is not None:
        return 0
    code, memory = soaked.typed(course.subject.name)
    story.runs += 1
    if code != SUCCEEDED:
        raise BrokenError(f"{course.subject.name}: exit {code} of a run in a process of its own")
    course.subject.truth.well()
    course.subject.settled = True
    return memory


def _upgrade(soaked: Soaked, courses: list[Course]) -> None:
    """All stores as an earlier version would have left them; of every second tenant, the upgrade has begun."""
    for place, course in enumerate(courses):
        as_before(soaked.store(course.subject.name), begun=place % 2 * (1 + place // 2 % (MIGRATIONS_BEHIND - 1)))


# -- what must hold


def _compare(soaked: Soaked, one: Subject, story: Story) -> None:
    world, home = one.world, soaked.made.home
    contacts = {world.contact(name): name for name in CONTACTS}
    differences = list(one.truth.differences(world.in_crm(), company_names(world), contacts))
    story.wrong += [f"{one.name}: {what}" for what in differences]
    told = [str(message["text"]) for message in world.sandbox.team.messages]
    story.untold += [f"{one.name}: {what}" for what in one.truth.untold(told)]
    story.requests += len(one.truth.requests)
    story.messages += len(told)
    story.happened += one.happened
    with duckdb.connect(str(soaked.store(one.name)), read_only=True) as connection:
        for problem, query in NONE_OF_THESE.items():
            [(number,)] = connection.execute(query).fetchall()
            story.left += [f"{one.name}: {number} {problem}"] if number else []
    alerts = read_alerts(alerts_path(home, "sandbox", one.name))
    story.left += [f"{one.name}: the alert {said} is open" for said in alerts.open]
    story.left += [f"{one.name}: a message waits" for _ in alerts.notices]
    files = [file for pattern in LEFT_BEHIND for file in home.rglob(pattern) if file.stem.startswith(one.name)]
    story.left += [f"{file.name} is left" for file in files]


def rows(story: Story, tenants: int, days: int) -> Iterator[Row]:
    """What the story came to."""
    told = (
        f"{tenants} tenants, {days} days, {story.runs} runs, {story.killed} of them killed, {story.happened} edits, "
        f"{sum(story.met.values())} troubles of {len(story.met)} kinds, {story.seconds:.0f} s of one processor"
    )
    yield _none("records, values and links that are not the truth", story.wrong, f"{story.requests} requests", told)
    yield _none("messages missing, doubled or not due", story.untold, f"{story.messages} messages", "")
    yield _none("left behind in stores, alerts and files", story.left, f"{tenants} tenants", "")
    most = KEEP_DAYS * RUNS_A_DAY + RUNS_A_DAY + 2
    last = story.weeks[-1]
    yield Row(
        "runs that are kept of a tenant",
        f"{last.dagster_runs / tenants:.1f} in Dagster's records; {last.endings} endings at most",
        f"at most {most} of {days * RUNS_A_DAY}",
        last.dagster_runs <= tenants * most + KEEP_DAYS + 2,
    )
    memory = [week.memory for week in story.weeks if week.memory]
    yield Row(
        "memory of a run, weeks beside each other",
        ", ".join(f"{one / 1e6:.0f} MB" for one in memory) or "not measured",
        f"at most {MORE_MEMORY} times the first",
        None if not memory else max(memory) <= MORE_MEMORY * memory[0],
    )
    for number, week in enumerate(story.weeks, start=1):
        yield Row(
            f"week {number}: what is kept, a tenant",
            f"{week.disk / tenants / 1e6:.1f} MB",
            "printed",
            held=True,
            detail=_words(week, tenants),
        )
    yield counted("weeks measured", len(story.weeks), max(1, -(-days // 7)))


def _none(name: str, found: list[str], of: str, detail: str) -> Row:
    return Row(
        name, f"{len(found)} of {of}", "none", not found, "; ".join([*found[:5], detail] if detail else found[:5])
    )


def _words(week: Weight, tenants: int) -> str:
    folders = ", ".join(f"{name} {size / tenants / 1e6:.2f}" for name, size in week.folders.items() if size > 1_000)
    tables = ", ".join(f"{name} {number / tenants:.0f}" for name, number in week.rows.items())
    return f"in MB: {folders}; rows: {tables}"
