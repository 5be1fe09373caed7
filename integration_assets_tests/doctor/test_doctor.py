"""The doctor on a served installation: quiet when all is well, and none of 28 faults gets by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_assets.doctor.table import CHECKS
from integration_assets_tests.doctor.seeded import MADE_UP_TOKEN, SEEDED, Seeded
from integration_assets_tests.doctor.seeded_more import MORE
from integration_assets_tests.support.practice import Practice, practice, writes_of

WITHOUT = {
    27: "skipped: INTEGRATION_ASSETS_PUBLISH_URL is not set",
    28: "skipped: INTEGRATION_ASSETS_LAKE_READER is not set",
}
"""Places to publish to, which an installation need not have."""


@pytest.fixture(scope="module")
def healthy() -> Iterator[Practice]:
    """One installation for all tests: each fault is taken away again."""
    with practice() as made:
        yield made


def test_there_is_a_fault_for_every_check() -> None:
    """28 checks, 28 faults."""
    assert list(SEEDED) == list(range(1, len(CHECKS) + 1))
    assert len(CHECKS) == 28


def test_a_healthy_installation_is_left_alone(healthy: Practice) -> None:
    """Every check of what it has is ok; no system is written to, no secret said, and the messages of Slack stay."""
    messages = len(healthy.world.sandbox.team.messages)
    healthy.forget()
    examined = healthy.examine()
    assert examined.not_ok() == WITHOUT
    assert examined.code == 0
    assert len(examined.findings) == 28
    assert all(one["why"] for one in examined.findings.values())
    requests = healthy.requests()
    assert len(requests) > 10
    assert writes_of(requests) == []
    assert len(healthy.world.sandbox.team.messages) == messages
    assert [secret for secret in healthy.secrets() if secret in examined.said] == []


@pytest.mark.parametrize("number", SEEDED)
def test_a_fault_is_found_by_its_check(healthy: Practice, number: int) -> None:
    """With what was seen and what to do; the exit code says how bad it is; nothing is written meanwhile."""
    _find(healthy, number, SEEDED[number])


@pytest.mark.parametrize("what", MORE)
def test_further_faults_are_found(healthy: Practice, what: str) -> None:
    """The same for other ways in which a check is not ok."""
    _find(healthy, *MORE[what])


def _find(healthy: Practice, number: int, fault: Seeded) -> None:
    healthy.forget()
    with fault.put(healthy) as variables:
        examined = healthy.examine(**variables)
    found = examined.findings[number]
    assert (found["verdict"], fault.words in found["seen"]) == (fault.verdict, True), found
    assert found["fix"]
    assert examined.code == fault.code, examined.not_ok()
    assert writes_of(healthy.requests()) == []
    assert "Traceback" not in examined.said
    assert "the check itself broke" not in examined.said
    assert [secret for secret in (*healthy.secrets(), MADE_UP_TOKEN) if secret in examined.said] == []


def test_all_is_well_again_afterwards(healthy: Practice) -> None:
    """The faults were the only reason for what was found."""
    assert healthy.examine().not_ok() == WITHOUT
