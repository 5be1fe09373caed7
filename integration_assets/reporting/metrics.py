"""Numbers for an operator's monitoring, in Prometheus' text format: how runs end, what they call, how old data is.

They are made of the files that runs leave in the home, so that whoever can read the home can say them: the pages for
`/metrics`, and a run or a sensor for a file that another program collects. Totals have no tenant, and of the tenants
only so many have numbers of their own, so that the number of series has a bound. No label holds an address, a title, a
key or a message.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from integration_assets.config import DEFAULT_TENANT, Environment
from integration_assets.errors import EndState
from integration_assets.staging.store import make_private_directory
from integration_assets.whole_files import READABLE, read_or_empty, write_whole

MOST_TENANTS = 200
"""Tenants with series of their own, the first by name; how many have none is a number as well."""
MOST_AHEAD = timedelta(minutes=5)
"""Clocks of two machines differ by less; a run that began later than that was dated by a wrong one."""
_PREFIX = "integration_assets"
_SUCCESSES = frozenset({EndState.SUCCEEDED, EndState.SUCCEEDED_WITH_REJECTS})
_INPUTS = ("votes", "companies")


class _Calls(msgspec.Struct, frozen=True):
    """Requests of one run to one system."""

    total: int = 0
    retried: int = 0
    throttled: int = 0


class _Freshness(msgspec.Struct, frozen=True):
    """Start of the last read of each input."""

    votes_as_of: datetime | None = None
    companies_as_of: datetime | None = None


class _Summary(msgspec.Struct, frozen=True):
    """Fields of a run's summary that become numbers."""

    state: EndState
    started_at: datetime
    duration_seconds: float
    dry_run: bool
    api_calls: dict[str, _Calls]
    freshness: _Freshness


class _Ending(msgspec.Struct, frozen=True):
    """Fields of the file that a run left."""

    summary: _Summary
    calls_left_today: int | None = None


class RunQueue(msgspec.Struct, frozen=True):
    """Runs of the product's jobs that Dagster has not ended, as a sensor last saw them; `at` None: none ever looked."""

    queued: int = 0
    started: int = 0
    at: datetime | None = None


def keep_run_queue(home: Path, queue: RunQueue) -> None:
    """Leave what a sensor saw for whoever says the numbers.

    Raises:
        OSError: it cannot be written.
    """
    path = _queue_path(home)
    make_private_directory(path.parent)
    write_whole(path, msgspec.json.encode(queue))


def _queue_path(home: Path) -> Path:
    return home / "metrics" / "queue.json"


class _Tenant:
    """Numbers of one tenant in one environment."""

    def __init__(self) -> None:
        self.last: _Summary | None = None
        self.last_reads: dict[str, float] = {}
        """When each input was last read, in seconds of Unix time."""
        self.successes: dict[bool, float] = {}
        """When a run last ended well, in seconds of Unix time, by whether it was one that writes nothing."""
        self.calls_left_today: int | None = None

    def add(self, ending: _Ending) -> None:
        summary = ending.summary
        if summary.state in _SUCCESSES:
            ended = summary.started_at.timestamp() + summary.duration_seconds
            self.successes[summary.dry_run] = max(ended, self.successes.get(summary.dry_run, 0.0))
        # A run that ended before it read anything knows less of the data than the one before.
        for name in _INPUTS:
            if (at := getattr(summary.freshness, f"{name}_as_of")) is not None:
                self.last_reads[name] = max(at.timestamp(), self.last_reads.get(name, 0.0))
        # Files come in no order, and only the newest run says how things are.
        if self.last is None or summary.started_at >= self.last.started_at:
            self.last, self.calls_left_today = summary, ending.calls_left_today


class RunNumbers:
    """The numbers of all runs that left a file in a home. Each file is read once; safe to use from several threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._unreadable = 0
        self._runs: dict[tuple[str, str], int] = {}
        self._calls: dict[tuple[str, str], list[int]] = {}
        self._tenants: dict[tuple[str, str], _Tenant] = {}

    def exposition(self, tenants: Collection[str], *, period: timedelta, now: datetime) -> bytes:
        """All numbers in the text format, version 0.0.4.

        `tenants` are those that are to be synced, with or without runs; `period` is how often each is.
        """
        with self._lock:
            for environment in Environment:
                self._read(environment, now)
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Families(list(self._families(tenants, period, now))))
            return generate_latest(registry)

    def _read(self, environment: Environment, now: datetime) -> None:
        folder = self._home / "runs" / environment.value
        # Scanned with their names alone: what was read before is not even asked for its time.
        for tenant in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not tenant.is_dir():
                continue
            with os.scandir(tenant) as entries:
                new = [entry.path for entry in entries if entry.name.endswith(".json") and entry.path not in self._seen]
            for path in new:
                self._add(environment.value, tenant.name, Path(path), now)

    def _add(self, environment: str, tenant: str, path: Path, now: datetime) -> None:
        self._seen.add(str(path))
        try:
            ending = msgspec.json.decode(path.read_bytes(), type=_Ending)
        # Of another version, or damaged: the other runs are known all the same, and that one is counted.
        except (OSError, msgspec.MsgspecError):
            self._unreadable += 1
            return
        state = (environment, ending.summary.state.value)
        self._runs[state] = self._runs.get(state, 0) + 1
        for system, calls in ending.summary.api_calls.items():
            sums = self._calls.setdefault((environment, system), [0, 0, 0])
            for place, number in enumerate((calls.total, calls.retried, calls.throttled)):
                sums[place] += number
        of_tenant = self._tenants.setdefault((environment, tenant), _Tenant())
        # It would pass for the newest, and for a success, until the moment that a wrong clock has noted.
        if ending.summary.started_at <= now + MOST_AHEAD:
            of_tenant.add(ending)

    def _families(self, tenants: Collection[str], period: timedelta, now: datetime) -> Iterator[Metric]:
        yield from self._totals()
        yield from self._of_tenants(tenants)
        yield from self._waiting(tenants, period, now)

    def _totals(self) -> Iterator[Metric]:
        yield _family(
            CounterMetricFamily,
            "runs",
            "Runs that ended, by end state.",
            ("environment", "state"),
            (
                ((environment.value, state.value), self._runs.get((environment.value, state.value), 0))
                for environment in Environment
                for state in EndState
            ),
        )
        for place, (name, text) in enumerate(
            (
                ("calls", "Requests sent to outside systems by runs."),
                ("calls_retried", "Requests that were sent again."),
                ("calls_throttled", "Requests that an outside system answered by asking for a slower pace."),
            )
        ):
            labels = ("environment", "system")
            samples = ((key, sums[place]) for key, sums in sorted(self._calls.items()))
            yield _family(CounterMetricFamily, name, text, labels, samples)
        yield _family(
            GaugeMetricFamily,
            "run_files_unreadable",
            "Files of runs that could not be read; their runs are in no other number.",
            (),
            [((), self._unreadable)],
        )

    def _of_tenants(self, tenants: Collection[str]) -> Iterator[Metric]:
        everybody = sorted({*tenants, *(tenant for _, tenant in self._tenants)})
        named = frozenset(everybody[:MOST_TENANTS])
        known = [(key, one) for key, one in sorted(self._tenants.items()) if key[1] in named]
        yield _family(GaugeMetricFamily, "tenants", "Tenants, with or without runs.", (), [((), len(everybody))])
        yield _family(
            GaugeMetricFamily,
            "tenants_without_series",
            f"Tenants that have no series of their own, as only the first {MOST_TENANTS} by name have.",
            (),
            [((), len(everybody) - len(named))],
        )
        labels = ("environment", "tenant")
        yield _family(
            GaugeMetricFamily,
            "last_run_timestamp_seconds",
            "Start of the newest run that ended.",
            labels,
            ((key, one.last.started_at.timestamp()) for key, one in known if one.last is not None),
        )
        yield _family(
            GaugeMetricFamily,
            "last_run_succeeded",
            "1 if the newest run that ended ended well, else 0.",
            labels,
            ((key, int(one.last.state in _SUCCESSES)) for key, one in known if one.last is not None),
        )
        yield _family(
            GaugeMetricFamily,
            "last_success_timestamp_seconds",
            "End of the newest run that ended well, by whether it was one that writes nothing into the CRM.",
            (*labels, "dry_run"),
            (((*key, str(dry).lower()), at) for key, one in known for dry, at in sorted(one.successes.items())),
        )
        yield _family(
            GaugeMetricFamily,
            "data_as_of_timestamp_seconds",
            "Start of the last read of an input of the ranking; its age is time() minus this.",
            (*labels, "input"),
            (((*key, name), at) for key, one in known for name, at in sorted(one.last_reads.items())),
        )
        yield _family(
            GaugeMetricFamily,
            "crm_calls_left_today",
            "Calls that the CRM said are left of its daily quota at the end of the newest run, if it says so.",
            labels,
            ((key, one.calls_left_today) for key, one in known if one.calls_left_today is not None),
        )

    def _waiting(self, tenants: Collection[str], period: timedelta, now: datetime) -> Iterator[Metric]:
        lasts = {
            tenant: max(
                (
                    one.last.started_at
                    for key, one in self._tenants.items()
                    if key[1] == tenant and one.last is not None
                ),
                default=None,
            )
            for tenant in tenants
        }
        yield _family(
            GaugeMetricFamily,
            "tenants_overdue",
            "Tenants without a run that began within twice the period of the schedule, in any environment.",
            (),
            [((), sum(last is None or now - last > 2 * period for last in lasts.values()))],
        )
        queue = read_or_empty(_queue_path(self._home), RunQueue)
        if queue.at is None:
            return
        yield _family(
            GaugeMetricFamily,
            "dagster_runs",
            "Runs of the product's jobs in Dagster that wait for their turn, or are at work.",
            ("status",),
            [(("queued",), queue.queued), (("started",), queue.started)],
        )
        yield _family(
            GaugeMetricFamily,
            "dagster_observed_timestamp_seconds",
            "When the sensor `tenants` last counted Dagster's runs: it stands still where the daemon does.",
            (),
            [((), queue.at.timestamp())],
        )


def exposition(home: Path, tenants: Collection[str] | None, *, period: timedelta) -> bytes:
    """The numbers of a home, for one who says them once. `tenants` are those of the registry, None without one."""
    return RunNumbers(home).exposition(tenants_to_sync(tenants), period=period, now=datetime.now(UTC))


def tenants_to_sync(tenants: Collection[str] | None) -> Collection[str]:
    """The tenants of the registry; the default one where there are none."""
    return tenants or (DEFAULT_TENANT,)


def write_metrics(path: Path, text: bytes) -> None:
    """Replace the file that another program collects, which may run under another account.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_whole(path, text, mode=READABLE)


class _Families(Collector):
    """Metrics that were made before, for the library to write."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: Collection[str],
    samples: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = kind(f"{_PREFIX}_{name}", text, labels=list(labels))
    for values, number in samples:
        family.add_metric(list(values), number)
    return family
