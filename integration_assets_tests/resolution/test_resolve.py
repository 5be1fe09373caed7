"""From vote to company, clause by clause."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.resolution.overrides import Override
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.sql import read_sql
from integration_assets_tests.resolution.worlds import (
    Row,
    World,
    company,
    contact,
    one_voter,
    outcome,
    request,
    resolved,
    rows,
    vote,
)

ACME = company("1", "acme.com")


def account(account_id: str, domain: str | None = None, **values: Any) -> Row:
    """An account of the feedback system."""
    return {"account_id": account_id, "domain": domain, **values}


def overriding(*pairs: tuple[str, str], **values: Any) -> ResolutionSettings:
    """Settings with these mappings."""
    return ResolutionSettings(overrides=tuple(Override(match, company_id) for match, company_id in pairs), **values)


# -- addresses, personal mail, own staff


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        (None, "no_email"), ("", "no_email"), ("\u00a0\u200b", "no_email"), ("ann@localhost", "malformed_email"),
        ("ann@gmail.com", "personal_email"), ("ann@x.gmail.com", "personal_email"),
        ("ann@mailinator.com", "personal_email"), ("ann@new.com", "unknown_domain"), ("ann@ourselves.com", "own_staff"),
        ("ann@eu.ourselves.com", "own_staff"),
    ],
)  # fmt: skip
def test_why_a_vote_has_no_company(email, reason):
    """Each kind of address has its own reason, though companies claim such domains."""
    world = one_voter(email, crm_companies=[company("1", "gmail.com"), company("2", "ourselves.com")])
    assert outcome(world, ResolutionSettings(own_domains=("ourselves.com",))) == (None, reason)


def test_own_staff_is_never_matched():
    """Neither mapping, contact nor account makes a customer of the tenant's own people."""
    world = one_voter(
        "ann@ourselves.com",
        account("a", "acme.com"),
        crm_companies=[ACME],
        crm_contacts=[contact("k", "ann@ourselves.com", "1")],
    )
    settings = overriding(("ann@ourselves.com", "1"), own_domains=("ourselves.com",))
    assert outcome(world, settings) == (None, "own_staff")


@pytest.mark.parametrize("own", ["dee@gmail.com", "Dee <DEE@GMAIL.COM>", "dee@acme.com", "dee@b\u00fccher.example"])
def test_one_person_is_own_staff_whatever_the_host_is(own):
    """A named address has no company, though contact, host and account lead to one; its neighbours keep theirs."""
    host = own.rstrip(">").rpartition("@")[2].lower()
    world: World = {
        "feature_requests": [request("r")],
        "voters": [
            {"voter_id": "dee", "email": f"Dee@{host}."},
            {"voter_id": "again", "email": f"dee@{host}"},
            {"voter_id": "other", "email": f"other@{host}"},
        ],
        "votes": [vote("1", "r", "dee"), vote("2", "r", "again"), vote("3", "r", "other")],
        "accounts": [account("a", "acme.com")],
        "voter_accounts": [{"voter_id": one, "account_id": "a"} for one in ("dee", "other")],
        "crm_companies": [ACME],
        "crm_contacts": [contact("k", f"dee@{host}", "1")],
    }
    settings = overriding((f"dee@{host}", "1"), own_domains=("ourselves.com", own))
    store = resolved(world, settings)
    assert rows(store, "SELECT vote_id, company_id, reason FROM resolved.votes ORDER BY vote_id") == [
        {"vote_id": "1", "company_id": None, "reason": "own_staff"},
        {"vote_id": "2", "company_id": None, "reason": "own_staff"},
        {"vote_id": "3", "company_id": "1", "reason": None},
    ]
    assert rows(store, "SELECT reason, votes FROM ranked.unresolved_votes") == [{"reason": "own_staff", "votes": 2}]
    assert "own staff" in rows(store, "SELECT reason FROM resolved.override_problems")[0]["reason"]


def test_lists_of_personal_domains_can_be_corrected():
    """A domain added to the lists stops matching, one taken off them matches."""
    world = one_voter("ann@gmx.de", crm_companies=[company("1", "gmx.de")])
    assert outcome(world) == (None, "personal_email")
    assert outcome(world, ResolutionSettings(business_domains=("gmx.de",))) == ("1", "host")
    world = one_voter("ann@acme.com", crm_companies=[ACME])
    assert outcome(world, ResolutionSettings(personal_domains=("acme.com",))) == (None, "personal_email")


SPELLINGS = [
    ("ann@bücher.example", "ann@bücher.example"), ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("ann@acme.example.", "ann@acme.example"), ("ann@acme.example", "ann@acme.example."),
    ("Ann <ann@acme.example>", "Ann <ann@acme.example>"), ("\u200bann@acme.example", "\ufeffann@acme.example"),
    ("mailto:ann@acme.example", " (Ann@ACME.example) "), ("'ann@acme.example'", "ann@acme.example;"),
]  # fmt: skip


@pytest.mark.parametrize("additional", [False, True])
@pytest.mark.parametrize(("voter", "contact_email"), SPELLINGS)
def test_whoever_is_matched_by_a_contact_is_linked_to_it(voter, contact_email, additional):
    """Matching and linking compare one normalised form: voters, authors, and additional addresses of contacts."""
    one = contact("k", "other@acme.example", "1", contact_email) if additional else contact("k", contact_email, "1")
    blank = contact("b", "\u00a0", "1", "")
    world = one_voter(voter, crm_companies=[company("1")], crm_contacts=[one, blank])
    world["feature_requests"] = [request("r", author_id="u")]
    assert outcome(world) == ("1", "contact")
    connection = resolved(world)
    connection.execute("CREATE TEMP TABLE plan_records AS SELECT 'c:r' AS key, 'r' AS request_id")
    connection.execute("SET VARIABLE link_contacts = TRUE")
    assert sorted(connection.execute(read_sql("sync/desired_links")).fetchall()) == [
        ("c:r", "company", "1", "voted"), ("c:r", "contact", "k", "author"), ("c:r", "contact", "k", "voter"),
    ]  # fmt: skip


# -- hosts of companies


def test_every_domain_of_a_company_counts_and_junk_is_reported():
    """Main and additional domains are cleaned; those of no use are listed with the reason, without a user part."""
    one = company("1", "https://WWW.Acme.com/", additional_domains=["acme.de", "n/a", "ann@gmail.com", "acme.com", ""])
    connection = resolved({"crm_companies": [one]})
    assert rows(connection, "FROM resolved.company_hosts") == [
        {"company_id": "1", "host": "acme.com", "registrable_domain": "acme.com", "origin": "domain"},
        {"company_id": "1", "host": "acme.de", "registrable_domain": "acme.de", "origin": "additional_domain"},
    ]
    assert rows(connection, "SELECT value, reason FROM resolved.host_problems") == [
        {"value": "gmail.com", "reason": "personal_domain"},
        {"value": "n/a", "reason": "not_a_host"},
    ]


@pytest.mark.parametrize(
    ("email", "domain", "found"),
    [
        ("a@acme.com", "acme.com", ("1", "host")),
        ("a@bücher.de", "xn--bcher-kva.de", ("1", "host")),
        ("a@eu.acme.com", "acme.com", ("1", "registrable_domain")),
        ("a@eu.acme.com", "eu.acme.com", ("1", "host")),
        ("a@acme.com", "eu.acme.com", (None, "unknown_domain")),
        ("a@fr.acme.com", "eu.acme.com", (None, "unknown_domain")),
        ("a@x.eu.acme.com", "eu.acme.com", (None, "unknown_domain")),
        ("a@other.co.uk", "co.uk", (None, "unknown_domain")),
        ("a@one.github.io", "two.github.io", (None, "unknown_domain")),
        ("a@uberspace.de", "uberspace.de", ("1", "host")),
    ],
)
def test_host_and_registrable_domain(email, domain, found):
    """The address's host, then its registrable domain; a company known by a sub-domain gets that host only."""
    assert outcome(one_voter(email, crm_companies=[company("1", domain)])) == found


# -- order of evidence


def test_the_first_step_that_finds_a_company_decides():
    """Override, contact, host, registrable domain, account: each decides when those before it find nothing."""
    companies = [
        company("override"),
        company("contact"),
        company("host", "eu.acme.com"),
        company("domain", "acme.com"),
        company("account", "other.com"),
    ]
    world = one_voter(
        "ann@eu.acme.com",
        account("a", "other.com"),
        crm_companies=companies,
        crm_contacts=[contact("k", "ann@eu.acme.com", "contact")],
    )
    assert outcome(world, overriding(("acme.com", "override"))) == ("override", "override")
    assert outcome(world) == ("contact", "contact")
    world["crm_contacts"] = [contact("k", "ann@eu.acme.com", None), contact("l", "bob@eu.acme.com", "contact")]
    assert outcome(world) == ("host", "host")
    world["crm_companies"] = [one for one in companies if one["company_id"] != "host"]
    assert outcome(world) == ("domain", "registrable_domain")
    world["crm_companies"] = [one for one in companies if one["company_id"] == "account"]
    assert outcome(world) == ("account", "account")
    world["crm_companies"] = []
    assert outcome(world) == (None, "unknown_domain")


@pytest.mark.parametrize("email", [None, "ann@localhost", "ann@gmail.com"])
def test_the_account_serves_voters_without_business_mail(email):
    """No, malformed or personal mail: the account may still tell."""
    world = one_voter(email, account("a", "acme.com"), crm_companies=[ACME])
    assert outcome(world) == ("1", "account")


@pytest.mark.parametrize("email", ["ann@gmail.com", "Ann@localhost"])
def test_a_mapped_address_and_a_contact_serve_them_too(email):
    """An address on personal mail, or one that is none, can be mapped, and can be a contact's."""
    world = one_voter(email, crm_companies=[ACME, company("2")], crm_contacts=[contact("k", email.lower(), "1")])
    assert outcome(world) == ("1", "contact")
    assert outcome(world, overriding((email, "2"))) == ("2", "override")


def test_texts_that_are_no_address_connect_nobody():
    """A voter and a contact who both wrote `n/a`, and a domain in place of an address, are no evidence."""
    world = one_voter("n/a", crm_companies=[ACME], crm_contacts=[contact("k", "n/a", "1")])
    assert outcome(world) == (None, "malformed_email")
    assert outcome(one_voter("acme.com", crm_companies=[ACME]), overriding(("acme.com", "1")))[0] is None


def test_additional_addresses_of_contacts_count():
    """A contact is found by any of its addresses, whatever the case or form the voter used."""
    world = one_voter(
        "Ann <ANN@new.com>",
        crm_companies=[ACME],
        crm_contacts=[contact("k", "x@acme.com", "1", "b@c.d", "ann@new.com")],
    )
    assert outcome(world) == ("1", "contact")


# -- overrides


def test_the_closest_mapping_wins():
    """An address over a domain, a sub-domain over its parent."""
    world = one_voter("ann@a.eu.acme.com", crm_companies=[company("1"), company("2"), company("3")])
    domain, deeper, address = ("acme.com", "1"), ("eu.acme.com", "2"), ("Ann@a.eu.acme.com", "3")
    assert outcome(world, overriding(domain)) == ("1", "override")
    assert outcome(world, overriding(domain, deeper)) == ("2", "override")
    assert outcome(world, overriding(domain, deeper, address)) == ("3", "override")
    assert outcome(world, overriding(("notacme.com", "1")))[0] is None


def test_a_mapping_to_a_company_that_is_gone_is_ignored_and_reported():
    """The next evidence decides; the mapping is listed. Personal domains and own ones are listed too."""
    world = one_voter("ann@acme.com", crm_companies=[ACME])
    settings = overriding(
        ("acme.com", "99"), ("gmail.com", "1"), ("ourselves.com", "1"), own_domains=("ourselves.com",)
    )
    assert outcome(world, settings) == ("1", "host")
    problems = rows(resolved(world, settings), "FROM resolved.override_problems")
    assert [(one["match"], one["company_id"]) for one in problems] == [
        ("acme.com", "99"), ("gmail.com", "1"), ("ourselves.com", "1"),
    ]  # fmt: skip
    assert problems[0]["reason"] == "the company is gone"
    assert "personal" in problems[1]["reason"]
    assert "own staff" in problems[2]["reason"]


# -- accounts


def test_the_account_id_comes_before_its_domain():
    """By the mapped property, or by the record id, only where configured; merged record ids lead to the survivor."""
    world = one_voter(
        None, account("77", "acme.com"), crm_companies=[ACME, company("2", account_id=" 77 ", merged_ids=["77"])]
    )
    assert outcome(world) == ("1", "account")
    assert outcome(world, ResolutionSettings(account_id_mapped=True)) == ("2", "account")
    assert outcome(world, ResolutionSettings(account_id_mapped=True, account_id_is_record_id=True)) == ("2", "account")
    world["accounts"] = []
    assert outcome(world, ResolutionSettings(account_id_mapped=True)) == ("2", "account")


def test_a_voter_known_only_by_a_membership_is_matched_by_it():
    """A vote of a voter who is in no list of persons still has the account."""
    world = one_voter("x@y.z", account("a", "acme.com"), crm_companies=[ACME]) | {"voters": []}
    assert outcome(world) == ("1", "account")


# -- several companies

TWINS = [company("1", "acme.com"), company("2", "acme.com")]


def twins(first: Row, second: Row, *more: Row) -> dict[str, Iterable[Row]]:
    """A voter whose host belongs to two companies with these further values."""
    both = [{**TWINS[0], **first}, {**TWINS[1], **second}]
    return one_voter("ann@acme.com", crm_companies=[*both, *more])


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({}, {}, None),
        ({"arr": "5"}, {"arr": "7"}, None),
        ({"arr": "5"}, {}, "1"),
        ({"arr": "0"}, {"arr": "7"}, "2"),
        ({"arr": "-3"}, {"arr": "7"}, "2"),
        ({}, {"parent_id": "1"}, "1"),
        ({"arr": "5"}, {"parent_id": "1", "arr": "7"}, "1"),
        ({}, {"parent_id": "1", "arr": "7"}, "2"),
        ({"arr": "0"}, {"parent_id": "1", "arr": "7"}, "2"),
        ({"parent_id": "2"}, {"parent_id": "1"}, None),
        ({"parent_id": "2"}, {"parent_id": "1", "arr": "7"}, "2"),
        ({"parent_id": "8"}, {"parent_id": "8"}, None),
        ({}, {"parent_id": "9"}, "1"),
        ({"parent_id": "1"}, {"parent_id": "old9"}, "1"),
    ],
)
def test_which_of_two_companies(first, second, found):
    """The ancestor with ARR or where nobody has any, else the only one with ARR, else the ancestor, else nobody."""
    between = company("9", parent_id="1", merged_ids=["old9"])
    world = twins(first, second, between)
    assert outcome(world) == ((found, "host") if found else (None, "ambiguous_domain"))


def test_the_ancestor_without_arr_wins_when_several_others_have_some():
    """Two earning children cannot both be it: their parent is."""
    world = twins({}, {"parent_id": "1", "arr": "7"}, company("3", "acme.com", parent_id="1", arr="8"))
    assert outcome(world) == ("1", "host")


def test_the_voters_account_decides_before_family_and_arr():
    """Of several companies the one the account points to; an account that points to both, or elsewhere, is no help."""
    world = twins({"arr": "7"}, {"parent_id": "1"}, company("3", "other.com"))
    world |= {"voter_accounts": [{"voter_id": "u", "account_id": "a"}]}
    mapped = ResolutionSettings(account_id_is_record_id=True)
    for account_id, domain, found in [("2", None, "2"), ("a", "acme.com", "1"), ("a", "other.com", "1")]:
        world["accounts"] = [account(account_id, domain)]
        world["voter_accounts"] = [{"voter_id": "u", "account_id": account_id}]
        assert outcome(world, mapped) == (found, "host")


def test_ambiguity_ends_the_search_and_lists_the_candidates():
    """A host of two equal companies is not decided by the weaker steps; candidates are sorted."""
    world = one_voter(
        "ann@eu.acme.com",
        account("a", "other.com"),
        crm_companies=[
            company("2", "eu.acme.com"),
            company("10", "eu.acme.com"),
            company("3", "acme.com"),
            company("4", "other.com"),
        ],
    )
    found = rows(resolved(world), "SELECT company_id, match_method, reason, candidate_company_ids FROM resolved.votes")
    assert found == [
        {"company_id": None, "match_method": None, "reason": "ambiguous_domain", "candidate_company_ids": ["10", "2"]}
    ]


def test_ambiguous_contacts_and_accounts():
    """Contacts with one address and two companies, and accounts that lead to two companies, decide nothing."""
    world = one_voter(
        "ann@gmail.com",
        crm_companies=TWINS,
        crm_contacts=[contact("k", "ann@gmail.com", "1"), contact("l", "b@c.d", "2", "ann@gmail.com")],
    )
    assert outcome(world) == (None, "ambiguous_domain")
    world = one_voter("ann@gmail.com", account("a", "acme.com"), crm_companies=TWINS)
    assert outcome(world) == (None, "ambiguous_account")
    world = one_voter(None, account("a", "a.com"), account("b", "b.com"))
    world["crm_companies"] = [company("1", "a.com"), company("2", "b.com", arr="5")]
    assert outcome(world) == ("2", "account")


# -- merges


def counted(**tables: Iterable[Row]) -> tuple[list[Any], list[Any]]:
    """Ids of the counted votes with the request each counts for, and of the lost ones."""
    connection = resolved(tables)
    kept = connection.execute("SELECT vote_id, request_id FROM resolved.votes ORDER BY vote_id").fetchall()
    lost = connection.execute("SELECT vote_id, request_id, reason FROM resolved.lost_votes ORDER BY ALL").fetchall()
    return kept, lost


def test_votes_follow_merges_and_the_earliest_stays():
    """Through chains of merges; one vote per voter and request, the earliest, no time last, then by id."""
    kept, lost = counted(
        feature_requests=[request("c"), request("a"), request("z")],
        merge_aliases=[
            {"merged_request_id": "a", "request_id": "b"},
            {"merged_request_id": "b", "request_id": "c"},
        ],
        votes=[
            vote("1", "c", "u", 5), vote("2", "a", "u", 9), vote("3", "b", "u", None), vote("4", "a", "w", 1),
            vote("6", "c", "x", 3), vote("5", "b", "x", 3), vote("7", "z", "u", 3),
        ],
    )  # fmt: skip
    assert kept == [("2", "c"), ("4", "c"), ("5", "c"), ("7", "z")]
    assert lost == []


def test_two_voter_ids_are_two_voters_and_gone_voters_count_each():
    """Whatever their address; a vote whose voter is gone counts by itself."""
    connection = resolved(
        {
            "feature_requests": [request("r")],
            "voters": [{"voter_id": "u", "email": "a@b.com"}, {"voter_id": "w", "email": "a@b.com"}],
            "votes": [vote("1", "r", "u"), vote("2", "r", "w"), vote("3", "r", None), vote("4", "r", None)],
        }
    )
    reasons = connection.execute("SELECT reason, count(*) FROM resolved.votes GROUP BY ALL ORDER BY ALL").fetchall()
    assert reasons == [("no_email", 2), ("unknown_domain", 2)]


def test_votes_on_requests_that_are_gone_are_set_aside():
    """Quarantined under the id they were cast for; those of boards nobody asked for are neither counted nor lost."""
    kept, lost = counted(
        feature_requests=[request("r")],
        excluded_requests=[{"request_id": "board2"}],
        merge_aliases=[
            {"merged_request_id": "m", "request_id": "gone"},
            {"merged_request_id": "n", "request_id": "board2"},
        ],
        votes=[vote(str(number), on, "u") for number, on in enumerate(["r", "gone", "m", "board2", "n"], start=1)],
    )
    assert kept == [("1", "r")]
    assert lost == [("2", "gone", "request_gone"), ("3", "m", "request_gone")]


def test_a_circle_of_merges_loses_no_vote():
    """Requests said to be merged into each other count as one of them that is there."""
    kept, lost = counted(
        feature_requests=[request("b")],
        merge_aliases=[
            {"merged_request_id": "a", "request_id": "b"},
            {"merged_request_id": "b", "request_id": "a"},
        ],
        votes=[vote("1", "a", "u"), vote("2", "b", "w")],
    )
    assert (kept, lost) == ([("1", "b"), ("2", "b")], [])


def test_merged_companies_lead_to_the_survivor():
    """Contacts, mappings and parents that name a merged id mean the survivor."""
    merged = company("new", "acme.com", merged_ids=["old", "older"])
    world = one_voter("ann@x.com", crm_companies=[merged], crm_contacts=[contact("k", "ann@x.com", "old")])
    assert outcome(world) == ("new", "contact")
    assert outcome(world, overriding(("x.com", "older"))) == ("new", "override")


def test_a_company_merged_while_we_read_counts_once():
    """A record still listed though merged away leaves its domains to the survivor, and its ARR to nobody."""
    both = [company("new", "acme.com", arr="5", merged_ids=["old"]), company("old", "acme.de", arr="7")]
    connection = resolved(one_voter("ann@acme.de", crm_companies=both))
    assert rows(connection, "SELECT company_id, match_method FROM resolved.votes") == [
        {"company_id": "new", "match_method": "host"}
    ]
    assert rows(connection, "SELECT company_id, arr FROM resolved.company_arr") == [{"company_id": "new", "arr": 5}]


# -- the tables as an interface


def test_columns_of_the_resolved_votes():
    """Names, order and types are agreed; domain of the address even where it is itself a public suffix."""
    connection = resolved(one_voter("ann@eu.acme.com"))
    columns = [(name, kind) for name, kind, *_ in connection.execute("DESCRIBE resolved.votes").fetchall()]
    assert columns == [
        ("vote_id", "VARCHAR"), ("request_id", "VARCHAR"), ("voter_id", "VARCHAR"), ("created_at", "TIMESTAMP"),
        ("company_id", "VARCHAR"), ("match_method", "VARCHAR"), ("reason", "VARCHAR"), ("email_domain", "VARCHAR"),
        ("candidate_company_ids", "VARCHAR[]"),
    ]  # fmt: skip
    assert connection.execute("SELECT email_domain FROM resolved.votes").fetchall() == [("acme.com",)]
    assert resolved(one_voter("a@uberspace.de")).execute("SELECT email_domain FROM resolved.votes").fetchall() == [
        ("uberspace.de",)
    ]


def test_an_empty_world_and_a_second_run():
    """Nothing in, nothing out, and no temporary table left; a second run replaces what the first made."""
    connection = resolved({})
    assert connection.execute("SELECT count(*) FROM resolved.votes").fetchall() == [(0,)]
    world = one_voter("ann@acme.com", crm_companies=[ACME])
    first = rows(resolved(world, connection=connection), "FROM resolved.votes")
    assert rows(resolved(world, connection=connection), "FROM resolved.votes") == first
    assert connection.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall() == []


def test_a_rollback_brings_everything_back():
    """All of it happens in the caller's transaction."""
    from integration_assets.resolution.resolve import resolve_votes

    connection = resolved(one_voter("ann@acme.com", crm_companies=[ACME]))
    before = rows(connection, "FROM resolved.votes")
    connection.execute("BEGIN TRANSACTION")
    connection.execute("DELETE FROM raw.votes")
    resolve_votes(connection, ResolutionSettings())
    assert rows(connection, "FROM resolved.votes") == []
    connection.execute("ROLLBACK")
    assert rows(connection, "FROM resolved.votes") == before


# -- domains that are no company's


def test_a_customer_with_a_personal_domain_is_a_candidate():
    """A company whose own domain is on the lists is named beside the votes it loses, whatever field has it."""
    for one in (
        company("1", "alibaba.com"),
        company("1", "acme.com", additional_domains=["https://www.Alibaba.com/x"]),
    ):
        for email in ("a@alibaba.com", "a@mail.alibaba.com"):
            connection = resolved(one_voter(email, crm_companies=[one, company("2", "gmail.com")]))
            assert rows(connection, "SELECT reason, candidate_company_ids FROM ranked.unresolved_votes") == [
                {"reason": "personal_email", "candidate_company_ids": ["1"]}
            ]
    settings = ResolutionSettings(business_domains=("alibaba.com",))
    assert outcome(one_voter("a@alibaba.com", crm_companies=[company("1", "alibaba.com")]), settings) == ("1", "host")


def test_two_domains_in_one_field_are_both_evidence():
    """Of companies and of accounts."""
    for email in ("a@multi-one.io", "a@multi-two.io"):
        world = one_voter(email, crm_companies=[company("1", "multi-one.io, multi-two.io")])
        assert outcome(world) == ("1", "host")
    world = one_voter(
        None, account("a", "one.com; b.com"), crm_companies=[company("1", "b.com"), company("2", "c.com")]
    )
    assert outcome(world) == ("1", "account")


def crowd(
    voters: int, *, accounts: int, domains: bool = True, contacts: bool = False, at_home: int = 0, parents: bool = False
) -> dict[str, Any]:
    """People at one domain that company P has, spread over so many accounts, or over companies of their contacts."""
    ids = [f"u{number}" for number in range(voters)]
    companies = [company("P", "isp.example", arr="100")]
    if contacts or parents:
        companies += [
            company(f"c{one}", f"c{one}.example", parent_id="P" if parents else None) for one in range(accounts)
        ]
    return {
        "feature_requests": [request("r")],
        "voters": [{"voter_id": one, "email": f"{one}@isp.example"} for one in ids],
        "votes": [vote(one, "r", one) for one in ids],
        "accounts": [account(f"a{one}", f"c{one}.example" if domains else None) for one in range(accounts)]
        + [account("home", "isp.example")],
        "voter_accounts": []
        if contacts
        else [
            {"voter_id": one, "account_id": "home" if number < at_home else f"a{number % accounts}"}
            for number, one in enumerate(ids)
        ],
        "crm_companies": companies,
        "crm_contacts": [
            contact(one, f"{one}@isp.example", "P" if number < at_home else f"c{number % accounts}")
            for number, one in enumerate(ids)
        ]
        if contacts
        else [],
    }


SUSPECTED = {
    "every voter in an account with another domain": (crowd(20, accounts=20), True),
    "one voter less": (crowd(19, accounts=19), False),
    "accounts of which only the id is known": (crowd(40, accounts=40, domains=False), True),
    "fewer of those": (crowd(39, accounts=39, domains=False), False),
    "two voters per account": (crowd(60, accounts=30), True),
    "people of one employer share their accounts": (crowd(100, accounts=30), False),
    "a fifth in the account of the company itself": (crowd(50, accounts=40, at_home=10), True),
    "more of them": (crowd(50, accounts=40, at_home=11), False),
    "subsidiaries of the company": (crowd(40, accounts=40, parents=True), False),
}


@pytest.mark.parametrize(("world", "suspected"), SUSPECTED.values(), ids=SUSPECTED)
def test_a_domain_of_very_many_organisations_counts_for_nobody(world, suspected):
    """It is no evidence until somebody decides: its votes are told with the company that has the domain."""
    connection = resolved(world)
    found = rows(connection, "SELECT email_domain FROM resolved.suspected_mail_providers")
    assert found == ([{"email_domain": "isp.example"}] if suspected else [])
    [total] = rows(connection, "SELECT companies, arr FROM ranked.feature_requests")
    lost = rows(connection, "SELECT email_domain, reason, candidate_company_ids FROM ranked.unresolved_votes")
    if suspected:
        methods = connection.execute("SELECT match_method FROM resolved.votes WHERE company_id IS NOT NULL").fetchall()
        assert len(methods) == sum(one["account_id"] == "home" for one in world["voter_accounts"])
        assert set(methods) <= {("account",)}
        assert lost == [
            {"email_domain": "isp.example", "reason": "suspected_mail_provider", "candidate_company_ids": ["P"]}
        ]
    else:
        assert (total["companies"], lost) == (1, [])


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_suspicion_is_what_its_rule_says(data):
    """Over random crowds: organisations by kind, voters per organisation, and voters of the company's own accounts."""
    voters = data.draw(st.integers(15, 90))
    world = crowd(voters, accounts=60, domains=False)
    known = data.draw(st.integers(0, 60))
    world["accounts"] = [account(f"a{one}", f"c{one}.example" if one < known else None) for one in range(60)]
    world["accounts"].append(account("home", "mail.isp.example"))
    spread, home = data.draw(st.integers(1, 60)), data.draw(st.integers(0, voters))
    draw = random.Random(data.draw(st.integers(0, 9)))
    of = {one["voter_id"]: f"a{draw.randrange(spread)}" for one in world["voters"]}
    of |= dict.fromkeys(list(of)[:home], "home")
    world["voter_accounts"] = [{"voter_id": voter, "account_id": found} for voter, found in of.items()]
    strangers = [found for found in of.values() if found != "home"]
    organisations = set(strangers)
    others = {found for found in organisations if int(found[1:]) < known}
    expected = (
        (len(others) >= 20 or len(organisations) >= 40)
        and len(organisations) * 2 >= len(strangers)
        and home * 4 <= len(strangers)
    )
    found = rows(resolved(world, ranked=False), "SELECT voters, organisations FROM resolved.suspected_mail_providers")
    assert found == ([{"voters": len(strangers), "organisations": len(organisations)}] if expected else [])


def test_contacts_of_very_many_companies_make_a_domain_suspected_as_well():
    """Their own companies stay evidence; the CRM's putting of a contact into the company of its domain is none."""
    world = crowd(30, accounts=24, contacts=True)
    world["voters"].append({"voter_id": "x", "email": "x@isp.example"})
    world["votes"].append(vote("x", "r", "x"))
    world["crm_contacts"].append(contact("x", "x@isp.example", "P"))
    connection = resolved(world)
    outcomes = rows(connection, "SELECT DISTINCT company_id, match_method, reason FROM resolved.votes")
    assert {row["match_method"] for row in outcomes} == {"contact", None}
    assert [row["reason"] for row in outcomes if row["company_id"] is None] == ["suspected_mail_provider"]
    assert "P" not in {row["company_id"] for row in outcomes}


@pytest.mark.parametrize(
    ("settings", "outcomes"),
    [
        (ResolutionSettings(business_domains=("isp.example",)), {("P", None)}),
        (ResolutionSettings(personal_domains=("isp.example",)), {(None, "personal_email")}),
        (overriding(("isp.example", "P")), {("P", None)}),
    ],
)
def test_a_person_decides_about_a_suspected_domain(settings, outcomes):
    """Configuration, or a mapping, in either direction."""
    found = rows(resolved(crowd(25, accounts=25), settings), "SELECT DISTINCT company_id, reason FROM resolved.votes")
    assert {tuple(row.values()) for row in found} == outcomes


def test_the_host_decides_before_the_registrable_domain():
    """A company at the very host wins over one at the domain above it."""
    companies = [company("1", "acme.com", arr="9"), company("2", "eu.acme.com")]
    assert outcome(one_voter("a@eu.acme.com", crm_companies=companies)) == ("2", "host")
    assert outcome(one_voter("a@us.acme.com", crm_companies=companies)) == ("1", "registrable_domain")
    world = one_voter(None, account("a", "eu.acme.com"), crm_companies=companies)
    assert outcome(world) == ("2", "account")
