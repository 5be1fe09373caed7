"""Reading a system whose votes come in one list newest first, and by request where the server keeps its filter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from integration_assets.ingest.call_floor import feedback_floor
from integration_assets.ingest.raw_tables import ingest
from integration_assets.sandbox.serving import listening
from integration_assets.sandbox.uservoice import Account, seeded_account, uservoice_lookalike
from integration_assets_tests.conftest import Served
from integration_assets_tests.ingest.conftest import Reader

ADMIN = "GET /api/v2/admin"
VOTES, REQUESTS, TOKEN = f"{ADMIN}/supporters", f"{ADMIN}/suggestions", "POST /api/v2/oauth/token"
LOOKED_AT = 20


@pytest.fixture
def account(small_sandbox: Served) -> Account:
    """The small sandbox's sample in a UserVoice account."""
    return seeded_account(small_sandbox.sandbox.sample)


@pytest.fixture
def uservoice(small_sandbox: Served, account: Account, tmp_path: Path) -> Iterator[Reader]:
    """A reader of that account beside the small sandbox's CRM."""
    with listening([uservoice_lookalike(account)]) as [url]:
        addresses = small_sandbox.addresses
        kept = tuple((name, value) for name, value in addresses.settings if not name.startswith("CANNY_"))
        own = {
            "USERVOICE_BASE_URL": url,
            "USERVOICE_CLIENT_ID": account.client_id,
            "USERVOICE_SECRET": account.client_secret,
        }
        yield Reader(Served(small_sandbox.sandbox, replace(addresses, settings=(*kept, *own.items()))), tmp_path)


def calls_for(account: Account, name: str) -> int:
    listed = [one for one in account.lists[name].values() if one.fields.get("state") != "merged"]
    return max(1, -(-len(listed) // 100))


def own(read: Mapping[str, int]) -> dict[str, int]:
    """Calls to the feedback system alone."""
    return {name: number for name, number in read.items() if "/api/v2/" in name and number}


def stored(reader: Reader) -> int:
    return int(reader.rows("SELECT count(*) FROM raw.votes")[0][0])


def test_each_read_takes_the_fewest_calls(uservoice: Reader, account: Account) -> None:
    """First every list once; then new votes by one page, and a vote that was taken back by its suggestion alone."""
    whole = {
        TOKEN: 1,
        f"{ADMIN}/forums": 1,
        REQUESTS: calls_for(account, "suggestions"),
        VOTES: calls_for(account, "supporters"),
        f"{ADMIN}/users": calls_for(account, "users"),
        f"{ADMIN}/external_accounts": calls_for(account, "external_accounts"),
    }
    assert own(uservoice.read()) == whole
    assert stored(uservoice) == len(account.lists["supporters"])
    [(joined,)] = uservoice.rows("SELECT count(*) FROM raw.voter_accounts ANTI JOIN raw.accounts USING (account_id)")
    assert joined == 0
    rest = {TOKEN: 1, f"{ADMIN}/forums": 1, REQUESTS: calls_for(account, "suggestions")}
    suggestion = max(account.lists["suggestions"])
    account.support(suggestion, account.lists["users"][min(account.lists["users"])].id)
    assert own(uservoice.read()) == {**rest, VOTES: 1 + LOOKED_AT}
    account.take_back(max(account.lists["supporters"]))
    assert own(uservoice.read()) == {**rest, VOTES: 1 + 1 + LOOKED_AT}
    assert stored(uservoice) == len(account.lists["supporters"])


def test_but_for_the_token_a_read_makes_the_calls_of_the_floor(uservoice: Reader) -> None:
    """First and second read; the report shows the floor beside the calls."""
    for _ in range(2):
        with uservoice.inputs() as inputs:
            floor = feedback_floor(asyncio.run(ingest(inputs)).work.feedback["uservoice"])
            assert inputs.calls.totals("uservoice").total == floor + 1


def test_where_the_filter_is_ignored_one_call_finds_it_out(uservoice: Reader, account: Account) -> None:
    """The whole list is read where a score differs, and nothing else where none does; the run says why."""
    account.options.keeps_filters = False
    uservoice.read()
    unchanged, notes = uservoice.read_with_notes()
    assert unchanged[VOTES] == 1 + 1
    assert [line for line in notes if "of other suggestions" in line]
    account.take_back(max(account.lists["supporters"]))
    assert uservoice.read()[VOTES] == 1 + 1 + calls_for(account, "supporters")
    assert stored(uservoice) == len(account.lists["supporters"])
