"""What tests of several rooms share: the sandbox, served on loopback, and a PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import settings

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, SandboxAddresses, build_sandbox, serving
from integration_assets_tests.support.postgresql import running_postgresql

# Everything the tests ask is on this machine, where no proxy of it is needed.
for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)
# A machine with a collector does not collect its tests.
for _name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[_name]

# The same examples every time: a test that passes here passes in CI. `--hypothesis-profile explore` draws new ones.
# How long an example takes is for benchmarks to say: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile("repeatable")


LONGEST = ("test_automation.py", "test_kill.py", "test_dagster_pages.py")
"""Files that take minutes each: begun last, they would be waited for alone."""


MOST_WORKERS = 8
"""Processes tests run in at most: each holds its own copy of Dagster in memory."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than cores, as tests wait for servers; none where a few tests were asked for by name.

    A worker takes longer to start than most tests take to run.
    """
    if config.args and all("::" in argument for argument in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return max(2, min(MOST_WORKERS, cores + 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    items.sort(key=lambda item: not item.path.name.startswith(LONGEST))


class Served(NamedTuple):
    """A sandbox and where it listens."""

    sandbox: Sandbox
    addresses: SandboxAddresses


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    """The standard sandbox, fresh for each test module, without Canny's and Slack's rate limits."""
    made = build_sandbox(build_sample(), plan=None, slack_interval=0)
    with serving(made) as addresses:
        yield Served(made, addresses)


@pytest.fixture
def small_sandbox() -> Iterator[Served]:
    """About 40 requests, 400 votes and 120 companies, fresh for each test, without Canny's and Slack's rate limits."""
    made = build_sandbox(build_sample(requests=40, votes=400, companies=120), plan=None, slack_interval=0)
    with serving(made) as addresses:
        yield Served(made, addresses)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server of our own."""
    with running_postgresql() as server:
        yield server.url
