"""Roll-ups on accounts: rights that are missing, told apart from fields that are, and one account of another owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_assets.connectors.crm.base import Crm, RecordWrite
from integration_assets.connectors.crm.salesforce.names import COMPANY_PERMISSION_SET
from integration_assets.models import LiveProperty
from integration_assets.sync.company_rollups import OPEN, ROLLUPS, TOP
from integration_assets_tests.connectors.crm.company_writes import create_rollups, writes_of
from integration_assets_tests.connectors.crm.harness import Harness, salesforce_harness

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def org() -> Iterator[Harness]:
    """An org whose accounts carry our fields."""
    with salesforce_harness() as harness:
        create_rollups(harness)
        yield harness


def live(harness: Harness) -> dict[str, LiveProperty]:
    async def work(crm: Crm) -> dict[str, LiveProperty]:
        return {one.name: one for one in await writes_of(crm).properties(ROLLUPS)}

    return harness.talk(work)


def told(one: LiveProperty) -> str:
    assert one.difference is not None
    return f"{one.difference.detail}; {one.difference.remedy}"


def test_the_right_to_change_accounts_comes_with_a_permission_set_of_its_own(org: Harness) -> None:
    """Without it the fields are there and hidden; what may only be read is told as that."""
    grants = org.portal.grants[COMPANY_PERMISSION_SET]
    assert (grants.edited_objects, grants.objects) == ({"Account"}, {"Account"})
    held = set(org.portal.user.permission_sets)
    org.portal.user.permission_sets.clear()
    hidden = live(org)[OPEN]
    assert "the user does not see the field Feature_Requests_Open__c" in told(hidden)
    assert COMPANY_PERMISSION_SET in told(hidden)
    org.portal.user.permission_sets |= held
    grants.edited_fields.discard("Account.Top_Feature_Requests__c")
    assert told(live(org)[TOP]).startswith("the user may not change the field Top_Feature_Requests__c")
    assert live(org)[OPEN].difference is None
    grants.edited_objects.clear()
    # A type that takes our values is no news beside that.
    org.portal.objects["Account"].fields["Feature_Requests_Open__c"].type = "currency"
    assert told(live(org)[OPEN]).startswith("the user may not change accounts")


def test_an_account_that_sharing_keeps_is_refused_alone_with_the_remedy(org: Harness) -> None:
    """The others of the batch are written."""
    ours, theirs = org.seeds.company(name="Ours"), org.seeds.company(name="Theirs")
    org.portal.user.read_only.add(theirs)

    async def work(crm: Crm) -> None:
        outcome = await writes_of(crm).write(ROLLUPS, [RecordWrite(one, {OPEN: "1"}) for one in (ours, theirs)])
        assert [one.key for one in outcome.written] == [ours]
        (refused,) = outcome.rejected
        assert refused.key == theirs
        assert "sharing rule" in refused.reason

    org.talk(work)
