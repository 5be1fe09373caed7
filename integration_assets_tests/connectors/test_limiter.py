"""The limiter of a credential, under a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from integration_assets.connectors.call_log import MemoryLog, SharedLog
from integration_assets.connectors.limiter import (
    LONGEST_CALL,
    Lease,
    Limiter,
    Quota,
    RateHeaders,
    Window,
    credential_digest,
    limiter_for,
)
from integration_assets.errors import QuotaError
from integration_assets_tests.connectors.clock import FakeClock

NAMES = RateHeaders("x-max", "x-left", "x-interval", "x-day", "x-day-left")


def take(limiter: Limiter, calls: int, bucket: str = "default", **options: Any) -> None:
    """Acquire that many times, each in the same loop."""

    async def story() -> None:
        for _ in range(calls):
            limiter.over(await limiter.acquire(bucket, **options))

    asyncio.run(story())


def test_a_moving_window_holds(clock: FakeClock) -> None:
    """No ten seconds ever hold more calls than allowed, and no time is wasted."""
    limiter = clock.limiter({"default": (Window(5, 10),)})
    times = []
    for _ in range(12):
        take(limiter, 1)
        times.append(clock.now)
        clock.now += 0.5
    for start in times:
        assert sum(start <= at < start + 10 for at in times) <= 5
    assert times[-1] - times[0] < 21


def test_all_windows_of_a_bucket_must_have_room(clock: FakeClock) -> None:
    """Ten a second and fifteen a minute: the sixteenth call waits for the minute."""
    limiter = clock.limiter({"default": (Window(10, 1), Window(15, 60))})
    start = clock.now
    take(limiter, 15)
    assert 1 <= clock.now - start < 1.1
    take(limiter, 1)
    assert 60 <= clock.now - start < 60.1


def test_a_refused_place_is_not_counted_in_the_other_windows(clock: FakeClock) -> None:
    """Waiting for one window spends nothing of another."""
    limiter = clock.limiter({"default": (Window(1, 1), Window(3, 60))})
    start = clock.now
    take(limiter, 3)
    assert clock.now - start < 2.1


def test_buckets_are_apart(clock: FakeClock) -> None:
    """A full search bucket does not hold back the rest, and an unknown bucket is free."""
    limiter = clock.limiter({"search": (Window(1, 60),)})
    take(limiter, 1, "search")
    take(limiter, 50, "default")
    assert clock.slept == []


def test_a_pause_holds_everybody_of_the_bucket(clock: FakeClock) -> None:
    """After a Retry-After of 7 s nobody calls for 7 s; a shorter one does not shorten it."""
    limiter = clock.limiter()
    limiter.pause("default", 7)
    limiter.pause("default", 1)
    take(limiter, 1, "search")
    assert clock.slept == []
    take(limiter, 2)
    assert sum(clock.slept) == pytest.approx(7)


def test_a_stated_limit_replaces_the_configured_one(clock: FakeClock) -> None:
    """The system says 3 per 10 s instead of 100: calls already made count against it."""
    limiter = clock.limiter({"default": (Window(100, 10),)})
    take(limiter, 2)
    limiter.learn("default", {"x-max": "3", "x-interval": "10000"}, NAMES)
    assert limiter.windows() == (Window(3, 10),)
    take(limiter, 1)
    assert clock.slept == []
    take(limiter, 1)
    assert 10 <= sum(clock.slept) < 10.1


def test_a_limit_of_another_length_is_added(clock: FakeClock) -> None:
    """Windows of other lengths stay in force."""
    limiter = clock.limiter({"default": (Window(10, 1),)})
    limiter.learn("default", {"x-max": "190", "x-interval": "10000"}, NAMES)
    assert set(limiter.windows()) == {Window(10, 1), Window(190, 10)}


def test_a_budget_shared_with_strangers_is_noticed(clock: FakeClock) -> None:
    """The system counts 8 of 10 used where we made 1: only 2 are left to us."""
    limiter = clock.limiter({"default": (Window(10, 10),)})
    take(limiter, 1)
    limiter.learn("default", {"x-max": "10", "x-interval": "10000", "x-left": "2"}, NAMES)
    take(limiter, 2)
    assert clock.slept == []
    take(limiter, 1)
    assert sum(clock.slept) >= 9.9


def test_a_generous_remainder_does_not_widen_our_count(clock: FakeClock) -> None:
    """Answers come late: a remainder larger than ours is not believed."""
    limiter = clock.limiter({"default": (Window(2, 10),)})
    take(limiter, 2)
    limiter.learn("default", {"x-max": "2", "x-interval": "10000", "x-left": "2"}, NAMES)
    take(limiter, 1)
    assert sum(clock.slept) >= 10


@pytest.mark.parametrize("value", ["", "abc", "-1", "1.5", "٣", "9" * 40])
def test_headers_that_are_no_numbers_teach_nothing(value: str, clock: FakeClock) -> None:
    """Only plain non-negative integers are believed."""
    limiter = clock.limiter({"default": (Window(5, 10),)})
    limiter.learn("default", {"x-max": value, "x-interval": "10000", "x-day-left": value}, NAMES)
    assert limiter.windows() == (Window(5, 10),)
    assert limiter.quota == Quota()


def test_the_daily_quota_keeps_what_is_not_stated_again(clock: FakeClock) -> None:
    """The limit of the day stays known when only the remainder is sent; other buckets' quotas are not taken for it."""
    limiter = clock.limiter()
    limiter.learn("default", {"x-day": "1000", "x-day-left": "10"}, NAMES)
    limiter.learn("default", {"x-day-left": "9"}, NAMES)
    limiter.learn("associations", {"x-day": "500", "x-day-left": "7"}, NAMES)
    assert limiter.quota == Quota(1000, 9)


def test_waiting_has_an_end(clock: FakeClock) -> None:
    """A place further away than the caller's patience is an error, not a sleep."""
    limiter = clock.limiter({"default": (Window(1, 3600),)})
    take(limiter, 1)
    with pytest.raises(QuotaError, match="leaves no call for 3600 s"):
        take(limiter, 1, patience=60)
    assert clock.slept == []


def test_a_call_counts_until_a_window_after_it_was_over(clock: FakeClock) -> None:
    """The system counts a call at some moment on its way, we do not know which: the later end is the safe one."""
    limiter = clock.limiter({"default": (Window(1, 10),)})

    async def story() -> None:
        place = await limiter.acquire()
        clock.now += 4
        limiter.over(place)
        limiter.over(place)  # said twice, counted once
        await limiter.acquire()

    start = clock.now
    asyncio.run(story())
    assert clock.now - start == pytest.approx(14, abs=0.1)


def test_calls_on_their_way_hold_their_places_until_their_process_must_be_dead(clock: FakeClock) -> None:
    """Nothing leaves while as many calls as allowed are under way; given up, they count for one more window."""
    limiter = clock.limiter({"default": (Window(2, 1),)})

    async def story() -> float:
        await limiter.acquire()
        await limiter.acquire()
        start = clock.now
        await limiter.acquire()
        return clock.now - start

    assert asyncio.run(story()) == pytest.approx(LONGEST_CALL + 1, abs=0.1)


@pytest.mark.parametrize("shared", [False, True])
def test_a_slow_call_counts_for_as_long_as_its_caller_allows_it(shared: bool, tmp_path: Path, clock: FakeClock) -> None:
    """Ten minutes are no sign of death where ten minutes are allowed, whatever other callers allow theirs."""
    log = SharedLog(tmp_path / "calls") if shared else MemoryLog()
    patient, hasty = (clock.limiter({"default": (Window(1, 10),)}, log=log) for _ in range(2))

    async def story() -> None:
        place = await patient.acquire(longest=610)
        clock.now += 600
        with pytest.raises(QuotaError):
            await hasty.acquire(patience=0.0)
        patient.over(place)
        await hasty.acquire(longest=130)

    start = clock.now
    asyncio.run(story())
    assert clock.now - start == pytest.approx(610, abs=0.1)


def test_a_call_of_a_dead_process_counts_as_over_at_the_latest_moment_it_could_be(clock: FakeClock) -> None:
    """The system may have counted it as late as that: an hour's window keeps it for an hour from then on."""
    limiter = clock.limiter({"default": (Window(1, 3600),)})

    async def story() -> None:
        await limiter.acquire(longest=130)
        clock.now += 1000
        await limiter.acquire()

    start = clock.now
    asyncio.run(story())
    assert clock.now - start == pytest.approx(3730, abs=0.1)


@pytest.mark.parametrize(("interval", "seconds"), [("1999", 2), ("2000", 2), ("2001", 3), ("500", 1), ("1", 1)])
def test_a_stated_interval_is_rounded_up(interval: str, seconds: int, clock: FakeClock) -> None:
    """A window shorter than the system's would let more calls through than it allows."""
    limiter = clock.limiter()
    limiter.learn("default", {"x-max": "100", "x-interval": interval}, NAMES)
    assert limiter.windows() == (Window(100, seconds),)


def test_a_system_may_state_calls_of_an_interval_that_is_always_the_same(clock: FakeClock) -> None:
    """Without a header for the interval, and with no window to begin with."""
    limiter = clock.limiter({})
    limiter.learn("default", {"x-max": "2", "x-left": "1"}, RateHeaders("x-max", "x-left", always_ms=60_000))
    assert limiter.windows() == (Window(2, 60),)
    take(limiter, 2)
    assert sum(clock.slept) == pytest.approx(60, abs=0.1)


PLANS: tuple[Any, ...] = ({"default": (Window(20, 10),)}, {"default": (Window(10, 10),)}, {"default": (Window(5, 10),)})


def test_a_429_that_should_not_be_means_a_smaller_plan(clock: FakeClock) -> None:
    """One step for all calls before it, one more for a later call, none below the smallest; a day later, anew."""
    limiter = clock.limiter({"default": (Window(20, 10),)}, plans=PLANS)

    async def story() -> tuple[Lease, ...]:
        return tuple([await limiter.acquire() for _ in range(3)])

    early = asyncio.run(story())
    for place in early:
        limiter.throttled(place)
    assert limiter.windows() == (Window(10, 10),)
    for _ in range(3):
        [late, *_] = asyncio.run(story())
        limiter.throttled(late)
    assert limiter.windows() == (Window(5, 10),)
    clock.now += 24 * 3600 + 1
    take(limiter, 1)
    assert limiter.windows() == (Window(20, 10),)


def test_processes_share_a_credential_through_a_file(tmp_path: Path, clock: FakeClock) -> None:
    """What one has spent, learnt and been told to wait for holds for the other; the file is for its owner only."""
    here, there = (clock.limiter({"default": (Window(3, 10),)}, log=SharedLog(tmp_path / "calls")) for _ in range(2))
    take(here, 2)
    take(there, 1)
    with pytest.raises(QuotaError):
        take(there, 1, patience=5)
    here.learn("default", {"x-max": "7", "x-interval": "10000"}, NAMES)
    assert there.windows() == (Window(7, 10),)
    there.pause("default", 30)
    with pytest.raises(QuotaError, match="30 s"):
        take(here, 1, patience=5)
    assert (tmp_path / "calls").stat().st_mode & 0o777 == 0o600


def _spend(path: str, calls: int) -> None:
    """Take places in a process of its own."""
    take(Limiter({"default": (Window(40, 60),)}, log=SharedLog(Path(path))), calls, patience=0.0)


def test_no_call_of_several_processes_is_lost(tmp_path: Path) -> None:
    """Four processes spend ten each at once: then nothing is left."""
    path = tmp_path / "calls"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_spend, args=(str(path), 10)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    with pytest.raises(QuotaError):
        _spend(str(path), 1)


@pytest.mark.parametrize("content", [b"\xc1", b"half \x00 a line", b'{"default": 1}', b"{"])
def test_a_damaged_file_is_forgotten(tmp_path: Path, content: bytes, clock: FakeClock) -> None:
    """A process that died while it wrote takes nothing with it but the count."""
    (tmp_path / "calls").write_bytes(content)
    limiter = clock.limiter({"default": (Window(1, 10),)}, log=SharedLog(tmp_path / "calls"))
    take(limiter, 2)
    assert clock.slept == [pytest.approx(10, abs=0.1)]


def test_a_directory_that_was_moved_away_is_made_again(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever tidies the home up stops no run."""
    directory = tmp_path / "limits"
    directory.mkdir()
    limiter = clock.limiter({"default": (Window(1, 10),)}, log=SharedLog(directory / "calls"))
    take(limiter, 1)
    directory.rename(tmp_path / "elsewhere")
    take(limiter, 1)
    assert clock.slept == []
    assert (directory / "calls").exists()


def test_times_of_another_life_of_the_machine_hold_nobody(tmp_path: Path, clock: FakeClock) -> None:
    """After a restart the clock begins anew: what was noted later than now is forgotten."""
    path = tmp_path / "calls"
    earlier = clock.limiter({"default": (Window(1, 10),)}, log=SharedLog(path))
    take(earlier, 1)
    earlier.pause("default", 100_000)
    clock.now = 5.0
    take(clock.limiter({"default": (Window(1, 10),)}, log=SharedLog(path)), 1)
    assert clock.slept == []


def test_concurrent_callers_share_one_window(clock: FakeClock) -> None:
    """Many tasks at once never overrun the window."""
    limiter = clock.limiter({"default": (Window(4, 10),)})
    times: list[float] = []

    async def one() -> None:
        place = await limiter.acquire()
        times.append(clock.now)
        limiter.over(place)

    async def story() -> None:
        await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(story())
    assert len(times) == 8
    assert all(sum(start <= at < start + 10 for at in times) <= 4 for start in times)


def test_threads_with_loops_of_their_own_share_one_limiter() -> None:
    """Every place taken in any thread counts."""
    limiter = Limiter({"default": (Window(45, 60),)})
    threads = [threading.Thread(target=take, args=(limiter, 15)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(QuotaError):
        take(limiter, 1, patience=0.0)


def test_one_limiter_per_credential() -> None:
    """The same credential at the same place is one limiter; another key, place or system is another."""
    digest = credential_digest("https://a.example", "secret-one")
    first = limiter_for("test-registry", digest, {})
    assert limiter_for("test-registry", digest, {"default": (Window(1, 1),)}) is first
    others = {
        limiter_for("test-registry", credential_digest("https://a.example", "secret-two"), {}),
        limiter_for("test-registry", credential_digest("https://b.example", "secret-one"), {}),
        limiter_for("test-registry-2", digest, {}),
    }
    assert len(others | {first}) == 4
    assert "secret" not in digest
