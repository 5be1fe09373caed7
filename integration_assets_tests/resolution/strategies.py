"""Random worlds, dense with what goes wrong: shared hosts, families, circles, merges, missing and wrong values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from integration_assets.resolution.overrides import Override
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.resolution.worlds import AS_OF, Row

COMPANY_IDS = ["1", "2", "3", "4", "10"]
MERGED_IDS = ["901", "902"]
HOSTS = ["a.com", "eu.a.com", "b.co.uk", "gmail.com", "bücher.de", "x.github.io"]
FIELDS = [None, "", "n/a", "https://www.a.com/", "a.com, b.co.uk", "b.co.uk (a.com); gmail.com",
          "http//eu.a.com", "a.com, bought by b.co.uk", "facebook.com/a", "x.onmicrosoft.com", *HOSTS]  # fmt: skip
EMAILS = [
    None, "", "nobody", "u@a.com", "U@eu.a.com", "N <w@fr.a.com>", "u@b.co.uk", "w@x.b.co.uk", "u@gmail.com",
    "U@GMail.com.", "w@gmail.com",
    "u@bücher.de", "u@x.github.io", "u@github.io", "u@own.com", "u@new.com",
]  # fmt: skip
FIGURES = [None, None, "0", "5", "7", "-1", "wrong"]
ACCOUNT_IDS = ["a1", "a2", "3", "902"]
REQUEST_IDS = ["r1", "r2", "r3", "r10"]
VOTER_IDS = ["u1", "u2", "u3", "u4", "u5"]


def moments() -> st.SearchStrategy[Any]:
    """Times around the thirty days before the read, its start, and unknown ones."""
    days = [None, 0, 1, 15, 30, 31, 90]
    return st.sampled_from([None if number is None else AS_OF - timedelta(days=number) for number in days])


def subset(values: list[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    """A few different values."""
    return st.lists(st.sampled_from(values), unique=True, max_size=most)


@st.composite
def companies(draw: st.DrawFn) -> list[Row]:
    """Companies that share hosts, have parents (also in circles) and one of the merged ids each at most."""
    merged = iter(draw(st.permutations(MERGED_IDS)))
    return [
        {
            "company_id": company_id,
            "name": f"Company {company_id}",
            "domain": draw(st.sampled_from(FIELDS)),
            "additional_domains": draw(subset(HOSTS)),
            "arr": draw(st.sampled_from(FIGURES)),
            "lifecycle_stage": draw(st.sampled_from([None, "customer", "lead"])),
            "parent_id": draw(st.sampled_from([None, "gone", *COMPANY_IDS, *MERGED_IDS])),
            "merged_ids": [one for one in [next(merged, None)] if one and draw(st.booleans())],
            "account_id": draw(st.sampled_from([None, *ACCOUNT_IDS])),
        }
        for company_id in draw(subset(COMPANY_IDS, most=5))
    ]


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Both systems, every table present."""
    statuses = ["open", "planned", "complete", "closed", "unknown"]
    ids = draw(st.lists(st.sampled_from(REQUEST_IDS), unique=True, min_size=1, max_size=4))
    alias = draw(st.sampled_from(REQUEST_IDS))
    return {
        "feature_requests": [
            {"request_id": one, "title": one, "status": draw(st.sampled_from(statuses)), "created_at": draw(moments())}
            for one in ids
        ],
        "merge_aliases": draw(
            st.sampled_from(
                [
                    [],
                    [{"merged_request_id": "m1", "request_id": alias}, {"merged_request_id": "m2", "request_id": "m1"}],
                    [{"merged_request_id": "r3", "request_id": "r1"}, {"merged_request_id": "m1", "request_id": "r3"}],
                ]
            )
        ),
        "voters": [
            {"voter_id": one, "email": draw(st.sampled_from(EMAILS))} for one in draw(subset(VOTER_IDS, most=5))
        ],
        "votes": [
            {
                "vote_id": f"v{number}",
                "request_id": draw(st.sampled_from([*REQUEST_IDS, "m1", "m2"])),
                "voter_id": draw(st.sampled_from([None, *VOTER_IDS])),
                "created_at": draw(moments()),
            }
            for number in range(draw(st.integers(0, 12)))
        ],
        "accounts": [
            {
                "account_id": one,
                "domain": draw(st.sampled_from(FIELDS)),
                "monthly_spend": draw(st.sampled_from(FIGURES)),
            }
            for one in draw(subset(ACCOUNT_IDS, most=3))
        ],
        "voter_accounts": [
            {"voter_id": voter_id, "account_id": account_id}
            for voter_id in VOTER_IDS
            for account_id in draw(subset(ACCOUNT_IDS, most=2))
        ],
        "crm_companies": draw(companies()),
        "crm_contacts": [
            {
                "contact_id": f"k{number}",
                "email": draw(st.sampled_from([None, "u@a.com", "u@gmail.com", "u@new.com", "nobody"])),
                "additional_emails": draw(subset(["u@b.co.uk", "u@gmail.com", "w@fr.a.com"])),
                "primary_company_id": draw(st.sampled_from([None, "gone", *COMPANY_IDS, *MERGED_IDS])),
            }
            for number in range(draw(st.integers(0, 3)))
        ],
        "internal_accounts": [
            {
                "account_row": str(number),
                "company_id": draw(st.sampled_from([None, "gone", *COMPANY_IDS, *MERGED_IDS])),
                "domain": draw(st.sampled_from(FIELDS)),
                "arr": draw(st.sampled_from(FIGURES)),
            }
            for number in range(draw(st.integers(0, 3)))
        ],
    }


@st.composite
def tenants(draw: st.DrawFn) -> ResolutionSettings:
    """Settings with mappings that are already normal."""
    matches = ["a.com", "eu.a.com", "u@a.com", "u@gmail.com", "new.com"]
    return ResolutionSettings(
        own_domains=("own.com", *draw(subset(["U@a.com", "w@fr.a.com", "u@gmail.com", "u@xn--bcher-kva.de"]))),
        account_id_mapped=draw(st.booleans()),
        account_id_is_record_id=draw(st.booleans()),
        arr_sources=tuple(draw(st.permutations(["crm", "internal", "accounts"]))),
        overrides=tuple(
            Override(match, draw(st.sampled_from(["gone", *COMPANY_IDS, *MERGED_IDS])))
            for match in draw(subset(matches, most=3))
        ),
    )
