"""The sample data has every kind of dirt, in the same places each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from integration_assets.sandbox.canny import views
from integration_assets.sandbox.sample_data import ARR_PROPERTY, CURRENCY_PROPERTY, SampleData, build_sample


@pytest.fixture(scope="module")
def sample() -> SampleData:
    return build_sample()


def digest(sample: SampleData) -> str:
    workspace = sample.workspace
    parts = [
        [views.post(workspace, post) for post in workspace.posts.values()],
        [views.vote(workspace, workspace.votes[vote_id]) for _, vote_id in workspace.votes_in_order.keys],
        [views.user(workspace, user) for user in workspace.users.values()],
        [views.company(workspace, company) for company in workspace.companies.values()],
        list(workspace.status_changes),
        [sample.companies, sample.parents, sample.contacts, sample.contact_company, sample.overrides],
        [sample.deals, sample.deal_companies],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def small() -> SampleData:
    return build_sample(requests=40, votes=400, companies=120)


def test_two_builds_are_identical_whatever_the_hash_seed():
    code = "from integration_assets_tests.sandbox.test_sample_data import *; print(digest(small()))"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert digest(small()) == digest(small()) == other.stdout.strip()


def test_another_seed_gives_other_data():
    assert digest(small()) != digest(build_sample(8, 40, 400, 120))


def test_sizes_are_about_those_asked_for(sample: SampleData):
    workspace = sample.workspace
    assert len(workspace.posts) == 500
    assert len(workspace.votes) == pytest.approx(20_000, rel=0.02)
    assert len(sample.companies) == 2_000
    assert len(workspace.users) == 5_000
    assert len(workspace.boards) == 5


@pytest.mark.parametrize("size", [(7, 500, 20_000, 2_000), (7, 40, 400, 120), (1, 30, 100, 60)])
def test_every_kind_of_dirt_occurs(size: tuple[int, int, int, int]):
    sample = build_sample(*size)
    assert {kind for kind, found in sample.dirt.items() if not found} == set()
    assert len(sample.dirt) == 85


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("domain.url", "https://www."),
        ("domain.www", "www."),
        ("domain.regional_only", "eu."),
        ("domain.address", "info@"),
        ("domain.junk", "n/a"),
        ("domain.personal", "gmail.com"),
        ("domain.idn", "bücher-"),
    ],
)
def test_dirty_domains_look_dirty(sample: SampleData, kind: str, shape: str):
    assert all(sample.companies[index]["domain"].startswith(shape) for index in sample.dirt[kind])


def test_dirty_revenues_look_dirty_and_stay_below_one_in_a_hundred(sample: SampleData):
    unusable = {"-1200", "NaN", "1,200", "$4,000", "tbd", "999999999999"}
    values = [row.get(ARR_PROPERTY, "") for row in sample.companies]
    assert unusable < set(values)
    assert sum(value in unusable for value in values) <= 20
    currencies = {row.get(CURRENCY_PROPERTY) for row in sample.companies}
    assert currencies - {None, "USD"} - sample.rates.keys() == {"SEK"}


def test_companies_share_domains_with_and_without_a_parent(sample: SampleData):
    parents = dict(sample.parents)
    for kind, indices in sample.dirt.items():
        if kind.startswith("shared."):
            domains = [sample.companies[index]["domain"] for index in indices]
            assert max(domains.count(domain) for domain in domains) > 1, kind
            has_family = any(index in parents for index in indices)
            assert has_family == any(word in kind for word in ("ancestor", "grandchild")), kind


def test_only_the_kind_where_the_account_decides_has_an_account(sample: SampleData):
    named = {company.name for company in sample.workspace.companies.values()}
    for kind in ("shared.ambiguous", "shared.only_one_with_arr", "shared.ancestor_with_arr"):
        assert not {sample.companies[index]["name"] for index in sample.dirt[kind]} & named
    decided = [sample.companies[index] for index in sample.dirt["shared.account_decides"]]
    assert any("canny_account_id" in row for row in decided)


def test_addresses_come_in_every_shape(sample: SampleData):
    users, dirt = sample.workspace.users, sample.dirt

    def addresses(kind: str) -> list[str | None]:
        return [users[user_id].email for user_id in dirt[f"email.{kind}"]]

    assert set(addresses("no_email")) == {None}
    assert all(address and "<" in address for address in addresses("display"))
    assert all(address and address == address.upper() for address in addresses("upper"))
    assert all(address and address != address.strip() for address in addresses("padded"))
    assert any(address == "" for address in addresses("malformed"))
    assert all(address and address.partition("@")[2] in sample.own_domains for address in addresses("own_staff"))
    assert any("xn--" in (user.email or "") for user in users.values())
    assert any("@bücher-" in (user.email or "") for user in users.values())


def test_accounts_and_memberships_are_dirty(sample: SampleData):
    companies = sample.workspace.companies.values()
    assert {company.domain for company in companies} >= {None, ""}
    assert {company.monthly_spend for company in companies} >= {None, 0}
    assert any("/" in company.id for company in companies)
    assert any(len(user.company_ids) == 2 for user in sample.workspace.users.values())


def test_some_people_have_two_accounts_with_one_address(sample: SampleData):
    users = sample.workspace.users
    addresses = [(user.email or "").strip().lower() for user in users.values()]
    for user_id in sample.dirt["user.same_address"]:
        assert addresses.count((users[user_id].email or "").lower()) == 2


def test_posts_are_dirty(sample: SampleData):
    workspace, dirt = sample.workspace, sample.dirt
    assert [workspace.posts[post_id].title for post_id in dirt["title.empty"]] == [""] * 5
    assert all(workspace.posts[post_id].author_id is None for post_id in dirt["author.gone"])
    assert len(workspace.posts[dirt["details.long"][0]].details or "") > 10_000
    assert all(workspace.posts[post_id].merge_history for post_id in dirt["merged"])
    assert all(workspace.votes[vote_id].voter_id is None for vote_id in dirt["voter.gone"])
    for post_id in dirt["post.gone"]:
        assert post_id not in workspace.posts
        assert workspace.score(post_id) > 0


def test_a_merge_leaves_duplicate_votes_in_some_posts_and_none_in_others(sample: SampleData):
    workspace = sample.workspace

    def duplicates(post_id: str) -> int:
        votes = (workspace.votes[vote_id] for _, vote_id in workspace.votes_of_post[post_id].keys)
        voters = [vote.voter_id for vote in votes if vote.voter_id is not None]
        return len(voters) - len(set(voters))

    assert all(duplicates(post_id) > 0 for post_id in sample.dirt["merged.duplicate_votes"])
    clean = set(sample.dirt["merged.one_vote_each"]) - set(sample.dirt["merged.duplicate_votes"])
    assert clean
    assert all(duplicates(post_id) == 0 for post_id in clean)


def test_unusable_votes_stay_below_one_in_a_hundred(sample: SampleData):
    unusable = [*sample.dirt["title.empty"], *sample.dirt["post.gone"]]
    assert sum(sample.workspace.score(post_id) for post_id in unusable) < 100


def test_votes_and_revenue_rank_differently(sample: SampleData):
    workspace = sample.workspace
    by_votes = sorted(workspace.posts, key=lambda post_id: -workspace.score(post_id))[:20]
    by_spend = sorted(workspace.posts, key=lambda post_id: -views.total_mrr(workspace, post_id))[:20]
    assert 3 <= len(set(by_votes) & set(by_spend)) <= 17


def test_no_vote_is_older_than_its_post_but_by_merging_or_younger_than_the_present(sample: SampleData):
    workspace = sample.workspace
    newest = workspace.votes_in_order.keys[-1][0]
    assert newest <= 1793577600000
    merged = set(sample.dirt["merged"])
    for vote in workspace.votes.values():
        if vote.post_id not in merged:
            assert vote.created >= workspace.post_of(vote).created


def test_contact_addresses_are_what_a_crm_takes(sample: SampleData):
    addresses = [row["email"] for row in sample.contacts]
    assert len(set(addresses)) == len(addresses)
    assert all(address == address.lower().strip() and address.count("@") == 1 for address in addresses)
    assert any("hs_additional_emails" in row for row in sample.contacts)
