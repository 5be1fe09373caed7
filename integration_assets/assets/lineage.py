"""Column lineage: which columns of other assets each column of an asset's table is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from integration_assets.assets.placing import key_under

_REQUESTS, _VOTES, _COMPANIES = "raw_feature_requests", "raw_votes", "raw_crm_companies"
_CONTACTS, _INTERNAL, _DEALS = "raw_crm_contacts", "raw_internal_accounts", "raw_crm_deals"
_RESOLVED, _RANKED = "domain_resolved_votes", "ranked_feature_requests"

Sources = Mapping[str, tuple[str, ...]]
"""Columns by asset."""

_EVIDENCE: Sources = {
    _VOTES: ("voter_id",),
    _CONTACTS: ("primary_company_id",),
    _COMPANIES: ("company_id", "domain", "additional_domains", "parent_id", "merged_ids", "account_id"),
}
"""Columns that decide the company of a vote. The voter's address and memberships are read with the votes."""
_ARR: Sources = {_COMPANIES: ("arr", "currency"), _INTERNAL: ("company_id", "domain", "arr", "currency")}
_COMPANY_ARR: Sources = {
    **_ARR,
    _COMPANIES: ("arr", "currency", "domain", "additional_domains", "parent_id", "merged_ids", "account_id"),
}
"""Figures of other systems find their company by what the CRM has of it."""
_WHOSE: Sources = {_RESOLVED: ("company_id",)}
_WHOSE_ARR: Sources = {**_WHOSE, **_ARR}
_MERGED: Sources = {_REQUESTS: ("request_id",), _VOTES: ("request_id",)}
_WHOSE_VOTE: Sources = {_RESOLVED: ("vote_id", "company_id")}
_WHEN: Sources = {_RESOLVED: ("created_at",)}
_WHOSE_AND_WHEN: Sources = {_RESOLVED: ("company_id", "created_at")}
_RANK: Sources = {_RESOLVED: ("vote_id", "company_id"), **_ARR, _REQUESTS: ("created_at",)}
"""Each place is by one number first, and by the others where it is the same."""


def _same(asset: str, *columns: str) -> dict[str, Sources]:
    return {column: {asset: (column,)} for column in columns}


SOURCES: Mapping[str, Mapping[str, Sources]] = {
    "resolved.votes": {
        **_same(_VOTES, "vote_id", "voter_id", "created_at"),
        "request_id": {_VOTES: ("request_id",), _REQUESTS: ("request_id",)},
        "company_id": _EVIDENCE,
        "match_method": _EVIDENCE,
        "reason": _EVIDENCE,
        "email_domain": {_VOTES: ("voter_id",)},
        "candidate_company_ids": _EVIDENCE,
    },
    "ranked.feature_requests": {
        **_same(
            _REQUESTS,
            "request_id",
            "title",
            "status",
            "board",
            "category",
            "tags",
            "url",
            "created_at",
            "status_changed_at",
        ),
        "is_open": {_REQUESTS: ("status",)},
        "votes": {_RESOLVED: ("vote_id",)},
        "voters": {_RESOLVED: ("voter_id",)},
        "companies": _WHOSE,
        "customers": {**_WHOSE_ARR, _COMPANIES: ("arr", "currency", "lifecycle_stage")},
        "arr": _WHOSE_ARR,
        "arr_customers": {**_WHOSE_ARR, _COMPANIES: ("arr", "currency", "lifecycle_stage")},
        "arr_prospects": {**_WHOSE_ARR, _COMPANIES: ("arr", "currency", "lifecycle_stage")},
        "companies_without_lifecycle": {**_WHOSE, _COMPANIES: ("lifecycle_stage",)},
        "companies_without_arr": _WHOSE_ARR,
        "companies_without_rate": _WHOSE_ARR,
        "open_pipeline": {
            **_WHOSE,
            _COMPANIES: ("merged_ids",),
            _DEALS: ("company_ids", "amount", "currency", "home_amount"),
        },
        "votes_30d": _WHEN,
        "companies_30d": _WHOSE_AND_WHEN,
        "first_vote_at": _WHEN,
        "last_vote_at": _WHEN,
        "unresolved_votes": _WHOSE_VOTE,
        "voter_domains": {_RESOLVED: ("email_domain",)},
        "merged_requests": _MERGED,
        "merged_details": {**_MERGED, _REQUESTS: ("request_id", "title", "url")},
        "rank_by_companies": _RANK,
        "rank_by_arr": _RANK,
        "rank_by_votes": _RANK,
        "rank_gap": _RANK,
        "arr_share": _WHOSE_ARR,
    },
    "ranked.company_requests": {
        **_same(_RESOLVED, "company_id", "request_id"),
        "company_name": {_COMPANIES: ("name",)},
        "domain": {_COMPANIES: ("domain",)},
        "arr": _COMPANY_ARR,
        "arr_status": _COMPANY_ARR,
        "title": {_REQUESTS: ("title",)},
        "status": {_REQUESTS: ("status",)},
        "votes": {_RESOLVED: ("vote_id",)},
        "first_vote_at": _WHEN,
        "last_vote_at": _WHEN,
        "match_methods": {_RESOLVED: ("match_method",)},
    },
    "ranked.unresolved_votes": {
        **_same(_RESOLVED, "email_domain", "reason", "candidate_company_ids"),
        "votes": {_RESOLVED: ("vote_id",)},
        "requests": {_RESOLVED: ("request_id",)},
        "last_vote_at": _WHEN,
    },
    "ranked.rank_history": _same(
        _RANKED,
        "as_of",
        "request_id",
        "rank_by_arr",
        "rank_by_companies",
        "companies",
        "arr",
        "companies_without_rate",
    ),
}
"""By table and column. Raw tables come from the systems themselves; `as_of` from nothing."""


def column_lineage(columns: Mapping[str, Sources], prefix: Sequence[str] = ()) -> dg.TableColumnLineage:
    """The lineage of a table's columns as Dagster keeps it, of assets that have this prefix."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(key_under(prefix, asset), name) for asset, names in sources.items() for name in names
            ]
            for column, sources in columns.items()
        }
    )
