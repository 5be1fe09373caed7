"""Descriptions of tables and columns: shown in the Dagster UI, and comments in the published database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_REQUEST = "Id of the feature request in the feedback system"
_COMPANY = "Id of the company in the CRM"
_DEAL = "Id of the deal in the CRM"
_RUN = "Id of the run"
_PLAN = "Id of the plan"
_PAGE = "Address in the CRM"
_WOULD = "that a dry run or a held plan would have"
_AS_OF = "Start of the read this row comes from, UTC"


class Column(NamedTuple):
    """Column of a table: its type as DuckDB writes it, and what it holds."""

    type: str
    description: str


COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "raw.feature_requests": {
        "request_id": Column("VARCHAR", _REQUEST),
        "title": Column("VARCHAR", "Title as the source has it"),
        "status": Column("VARCHAR", "Canonical status"),
        "source_status": Column("VARCHAR", "Status in the source's own words"),
        "board_id": Column("VARCHAR", "Id of the board"),
        "board": Column("VARCHAR", "Name of the board"),
        "category": Column("VARCHAR", "Name of the category within the board"),
        "details": Column("VARCHAR", "Description as the source has it"),
        "url": Column("VARCHAR", "Page of the request in the feedback system"),
        "tags": Column("VARCHAR[]", "Names of the tags"),
        "score": Column("BIGINT", "Votes as the source reports them"),
        "author_id": Column("VARCHAR", "Person who wrote the request; null when the account is gone"),
        "created_at": Column("TIMESTAMP", "When the request was written, UTC"),
        "status_changed_at": Column("TIMESTAMP", "Last change of status, UTC"),
    },
    "raw.votes": {
        "vote_id": Column("VARCHAR", "Id of the vote in the feedback system"),
        "request_id": Column("VARCHAR", "Request voted for; may since have been merged or deleted"),
        "voter_id": Column("VARCHAR", "Person who voted; null when the account is gone"),
        "created_at": Column("TIMESTAMP", "When the vote was cast, UTC"),
    },
    "raw.crm_companies": {
        "company_id": Column("VARCHAR", _COMPANY),
        "name": Column("VARCHAR", "Name of the company"),
        "domain": Column("VARCHAR", "Primary domain as the CRM has it"),
        "additional_domains": Column("VARCHAR[]", "Further domains as the CRM has them"),
        "arr": Column("VARCHAR", "Raw text of the mapped ARR property"),
        "currency": Column("VARCHAR", "Raw text of the mapped currency property"),
        "lifecycle_stage": Column("VARCHAR", "Lifecycle stage"),
        "parent_id": Column("VARCHAR", "Parent company"),
        "merged_ids": Column("VARCHAR[]", "Ids of companies merged into this one"),
        "account_id": Column("VARCHAR", "Raw text of the mapped account id property"),
        "modified_at": Column("TIMESTAMP", "Last change in the CRM, UTC"),
        "rollups": Column("MAP(VARCHAR, VARCHAR)", "What our own properties on the company hold; empty where not kept"),
        "segments": Column("MAP(VARCHAR, VARCHAR)", "Raw texts of the properties that companies are filtered by"),
        "owner": Column("VARCHAR", "Raw value of the mapped property with the owner"),
        "renewal_date": Column("VARCHAR", "Raw value of the mapped property with the renewal date"),
    },
    "raw.crm_contacts": {
        "contact_id": Column("VARCHAR", "Id of the contact in the CRM"),
        "primary_company_id": Column("VARCHAR", "The contact's primary company"),
    },
    "raw.crm_deals": {
        "deal_id": Column("VARCHAR", _DEAL),
        "name": Column("VARCHAR", "Name of the deal"),
        "company_ids": Column("VARCHAR[]", "Companies of the deal"),
        "stage": Column("VARCHAR", "Stage of the deal, as people see it"),
        "amount": Column("VARCHAR", "Amount in the deal's currency"),
        "currency": Column("VARCHAR", "Currency of the deal; null: that of the portal"),
        "home_amount": Column("VARCHAR", "The same as the CRM converts it to the currency of the portal"),
        "close_date": Column("DATE", "Day on which the deal is to be closed"),
    },
    "raw.crm_feature_requests": {
        "record_id": Column("VARCHAR", "Id of the record in the CRM"),
        "key": Column("VARCHAR", "Our unique key: source and request id"),
        "property_values": Column("MAP(VARCHAR, VARCHAR)", "Managed properties that are set"),
        "archived": Column("BOOLEAN", "True when a person archived the record"),
    },
    "raw.crm_portals": {
        "environment": Column("VARCHAR", "sandbox or production"),
        "role": Column("VARCHAR", "target: the portal of this run; other: read for comparison only"),
        "readable": Column("BOOLEAN", "Whether the schema could be read"),
        "unreadable_reason": Column("VARCHAR", "Why the schema could not be read"),
        "portal_id": Column("VARCHAR", "Id of the portal"),
        "kind": Column("VARCHAR", "Kind of account the portal says it is: sandbox, standard, developer test account"),
        "currency": Column("VARCHAR", "Currency of the portal"),
        "time_zone": Column("VARCHAR", "Time zone of the portal"),
        "company_page": Column("VARCHAR", "Address of a company in the CRM, with {id} for its id; null: not known"),
        "request_page": Column("VARCHAR", "The same of a record of ours"),
        "pages_unknown": Column("VARCHAR", "Why no address of companies is known"),
    },
    "raw.internal_accounts": {
        "account_row": Column("VARCHAR", "Row in the internal system"),
        "company_id": Column("VARCHAR", _COMPANY),
        "domain": Column("VARCHAR", "Domain of the company"),
        "arr": Column("VARCHAR", "ARR as the internal system gives it"),
        "currency": Column("VARCHAR", "Currency of the ARR"),
    },
    "resolved.votes": {
        "vote_id": Column("VARCHAR", "Id of the vote in the feedback system"),
        "request_id": Column("VARCHAR", "Request the vote counts for, after merges"),
        "voter_id": Column("VARCHAR", "Person who voted; null when the account is gone"),
        "created_at": Column("TIMESTAMP", "When the vote was cast, UTC"),
        "company_id": Column("VARCHAR", "Company the vote counts for; null when unmatched"),
        "match_method": Column(
            "VARCHAR", "Evidence that decided: override, contact, host, registrable_domain or account"
        ),
        "reason": Column("VARCHAR", "Why the vote could not be matched; null when it was"),
        "email_domain": Column("VARCHAR", "Registrable domain of the voter's address"),
        "candidate_company_ids": Column(
            "VARCHAR[]", "Companies nothing decided between, or whose own domain is (suspected) personal mail"
        ),
    },
    "ranked.feature_requests": {
        "request_id": Column("VARCHAR", _REQUEST),
        "title": Column("VARCHAR", "Title of the request"),
        "status": Column("VARCHAR", "Canonical status"),
        "is_open": Column("BOOLEAN", "True for open, under review, planned, in progress, on hold and unknown"),
        "board": Column("VARCHAR", "Name of the board"),
        "category": Column("VARCHAR", "Name of the category"),
        "tags": Column("VARCHAR[]", "Names of the tags; empty without any, or where the feedback system has none"),
        "url": Column("VARCHAR", "Page of the request in the feedback system"),
        "crm_url": Column("VARCHAR", f"{_PAGE} of its record; null without a record, or where it is not known"),
        "created_at": Column("TIMESTAMP", "When the request was written, UTC"),
        "status_changed_at": Column(
            "TIMESTAMP", "Last change of status, UTC; null where the feedback system does not tell"
        ),
        "votes": Column("BIGINT", "Counted votes, after merges"),
        "voters": Column("BIGINT", "Distinct persons"),
        "companies": Column("BIGINT", "Distinct companies whose people voted"),
        "customers": Column("BIGINT", "Of those, companies with lifecycle customer or ARR above zero"),
        "arr": Column("DECIMAL(38,2)", "Sum of the ARR of the distinct companies, in the base currency"),
        "arr_customers": Column("DECIMAL(38,2)", "Of it, ARR of companies that the CRM calls customers"),
        "arr_prospects": Column("DECIMAL(38,2)", "Of it, ARR of companies that the CRM calls prospects"),
        "companies_without_lifecycle": Column(
            "BIGINT", "Companies that the CRM calls neither: their ARR is in arr only"
        ),
        "companies_without_arr": Column(
            "BIGINT", "Companies that count but add no ARR: no figure, or no rate for its currency"
        ),
        "companies_without_rate": Column("BIGINT", "Of those, companies whose ARR is in a currency without a rate"),
        "open_pipeline": Column(
            "DECIMAL(38,2)",
            "Amount of the open deals of those companies, in the base currency; null: deals were not read",
        ),
        "votes_30d": Column("BIGINT", "Votes of the last 30 days"),
        "companies_30d": Column("BIGINT", "Companies that voted in the last 30 days"),
        "first_vote_at": Column("TIMESTAMP", "Oldest counted vote, UTC"),
        "last_vote_at": Column("TIMESTAMP", "Newest counted vote, UTC"),
        "unresolved_votes": Column("BIGINT", "Counted votes without a company"),
        "voter_domains": Column("VARCHAR[]", "Registrable domains of the voters' business addresses"),
        "merged_requests": Column(
            "VARCHAR[]", "Requests whose votes count for this one, as the file of same requests says; most votes first"
        ),
        "merged_details": Column(
            "VARCHAR[]", "Of each of them, in the same order: title, feedback system, votes and page"
        ),
        "rank_by_companies": Column("BIGINT", "Place by distinct companies"),
        "rank_by_arr": Column("BIGINT", "Place by ARR"),
        "rank_by_votes": Column("BIGINT", "Place by votes"),
        "rank_gap": Column("BIGINT", "rank_by_votes minus rank_by_arr: above zero, votes undersell the request"),
        "arr_share": Column("DOUBLE", "ARR of the request over the ARR of all companies that voted for anything"),
        "as_of": Column("TIMESTAMP", _AS_OF),
    },
    "ranked.merged_requests": {
        "request_id": Column("VARCHAR", "Id of the request that was merged away"),
        "source": Column("VARCHAR", "Name of its feedback system"),
        "title": Column("VARCHAR", "Its title; null where the feedback system no longer lists it"),
        "url": Column("VARCHAR", "Its page in the feedback system; null where that no longer lists it"),
        "votes": Column("BIGINT", "Counted votes it brings: of the votes of `merged_into`, those that were cast on it"),
        "merged_into": Column("VARCHAR", "Request its votes count for, at the end of all merges"),
        "merged_by": Column("VARCHAR", "same_requests: the file of same requests; or feedback_system"),
    },
    "ranked.company_requests": {
        "company_id": Column("VARCHAR", _COMPANY),
        "company_name": Column("VARCHAR", "Name of the company"),
        "domain": Column("VARCHAR", "Domain of the company"),
        "arr": Column("DECIMAL(38,2)", "ARR of the company in the base currency; null without a figure or a rate"),
        "arr_status": Column(
            "VARCHAR", "known, no_figure, or no_rate: there is a figure, in a currency without a rate"
        ),
        "request_id": Column("VARCHAR", _REQUEST),
        "title": Column("VARCHAR", "Title of the request"),
        "status": Column("VARCHAR", "Canonical status"),
        "votes": Column("BIGINT", "Votes of this company's people for this request"),
        "first_vote_at": Column("TIMESTAMP", "Oldest of them, UTC"),
        "last_vote_at": Column("TIMESTAMP", "Newest of them, UTC"),
        "match_methods": Column("VARCHAR[]", "Evidence that tied the votes to the company"),
    },
    "ranked.deals_at_stake": {
        "request_id": Column("VARCHAR", _REQUEST),
        "title": Column("VARCHAR", "Title of the request"),
        "status": Column("VARCHAR", "Canonical status"),
        "deal_id": Column("VARCHAR", _DEAL),
        "deal_name": Column("VARCHAR", "Name of the deal"),
        "company_ids": Column("VARCHAR[]", "Companies of the deal whose people voted for the request"),
        "company_names": Column("VARCHAR[]", "Their names, in the same order"),
        "stage": Column("VARCHAR", "Stage of the deal, as people see it"),
        "close_date": Column("DATE", "Day on which the deal is to be closed"),
        "amount": Column("DECIMAL(38,2)", "Amount in the base currency; null without an amount or a rate"),
        "amount_status": Column(
            "VARCHAR", "known, no_amount, no_rate, or why the amount is not used: negative or too_large"
        ),
        "own_amount": Column("DECIMAL(38,2)", "Amount in the currency of the deal"),
        "currency": Column("VARCHAR", "Currency of the deal"),
    },
    "ranked.unresolved_votes": {
        "email_domain": Column("VARCHAR", "Registrable domain of the address; null without an address"),
        "reason": Column("VARCHAR", "Why the votes could not be matched"),
        "votes": Column("BIGINT", "Votes lost"),
        "requests": Column("BIGINT", "Distinct requests they were for"),
        "candidate_company_ids": Column(
            "VARCHAR[]", "Companies nothing decided between, or whose own domain is (suspected) personal mail"
        ),
        "last_vote_at": Column("TIMESTAMP", "Newest of them, UTC"),
    },
    "ranked.rank_history": {
        "as_of": Column("TIMESTAMP", _AS_OF),
        "request_id": Column("VARCHAR", _REQUEST),
        "rank_by_arr": Column("BIGINT", "Place by ARR at that time"),
        "rank_by_companies": Column("BIGINT", "Place by distinct companies at that time"),
        "companies": Column("BIGINT", "Distinct companies at that time"),
        "arr": Column("DECIMAL(38,2)", "ARR at that time, in the base currency"),
        "companies_without_rate": Column(
            "BIGINT", "Companies whose ARR lacked a rate at that time; null: not recorded yet"
        ),
    },
    "ranked.companies": {
        "company_id": Column("VARCHAR", _COMPANY),
        "company_name": Column("VARCHAR", "Name of the company"),
        "domain": Column("VARCHAR", "Domain of the company"),
        "arr": Column("DECIMAL(38,2)", "ARR of the company in the base currency; null without a figure or a rate"),
        "arr_status": Column(
            "VARCHAR", "known, no_figure, or no_rate: there is a figure, in a currency without a rate"
        ),
        "lifecycle": Column(
            "VARCHAR", "customer, prospect, or unknown: no stage, or one that is said to be neither, as the CRM has it"
        ),
        "lifecycle_stage": Column("VARCHAR", "Stage or type of the company, in the words of the CRM; null without one"),
        "is_customer": Column("BOOLEAN", "True with lifecycle customer or ARR above zero"),
        "owner": Column(
            "VARCHAR",
            "Name of the owner in the CRM; where it is not known, or an e-mail address, `owner` and its id or a code; "
            "null where no property is mapped, or it is empty",
        ),
        "renewal_date": Column("DATE", "Day of renewal; null where no property is mapped, or it holds no date"),
        "requests": Column("BIGINT", "Distinct requests its people voted for"),
        "open_requests": Column("BIGINT", "Of those, requests that are open"),
        "shipped_requests": Column("BIGINT", "Of those, requests that are complete"),
        "last_vote_at": Column("TIMESTAMP", "Newest vote of its people, UTC"),
        "crm_url": Column("VARCHAR", f"{_PAGE} of the company; null where it is not known"),
    },
    "ranked.crm_companies": {
        "company_id": Column("VARCHAR", _COMPANY),
        "company_name": Column("VARCHAR", "Name of the company"),
        "domain": Column("VARCHAR", "Domain of the company"),
        "arr": Column("DECIMAL(38,2)", "ARR of the company in the base currency; null without a figure or a rate"),
    },
    "ranked.company_segments": {
        "company_id": Column("VARCHAR", _COMPANY),
        "property": Column("VARCHAR", "Name of the property in the CRM that was mapped as a segment"),
        "value": Column("VARCHAR", "Value, as the CRM has it; of several, one"),
    },
    "ranked.why": {
        "request_id": Column("VARCHAR", _REQUEST),
        "company_id": Column("VARCHAR", "Id of the company in the CRM; null for votes that count for none"),
        "company_name": Column("VARCHAR", "Name of the company"),
        "arr": Column("DECIMAL(38,2)", "ARR of the company in the base currency; null without a figure or a rate"),
        "arr_status": Column(
            "VARCHAR", "known, no_figure, or no_rate: there is a figure, in a currency without a rate"
        ),
        "match_methods": Column(
            "VARCHAR[]", "Evidence that tied the votes to the company; without a company, the reason"
        ),
        "voters": Column("BIGINT", "Distinct persons; without a company also those who are gone, one per vote"),
    },
    "ops.runs": {
        "run_id": Column("VARCHAR", _RUN),
        "tenant": Column("VARCHAR", "Tenant the run was for"),
        "environment": Column("VARCHAR", "sandbox or production"),
        "mode": Column("VARCHAR", "sync, dry_run, read_only, undo_plan or undo"),
        "state": Column("VARCHAR", "How it ended: SUCCEEDED, SUCCEEDED_WITH_REJECTS, HELD, RETRY_LATER or FAILED"),
        "error": Column("VARCHAR", "Why it did not succeed, in one line; null when it did"),
        "started_at": Column("TIMESTAMP", "Start, UTC"),
        "finished_at": Column("TIMESTAMP", "End, UTC; null: it has not ended yet"),
        "duration_seconds": Column("DOUBLE", "Duration in seconds"),
        "plan_hash": Column("VARCHAR", "Hash of its plan; null without a plan"),
        "held": Column("BOOLEAN", "True when the plan was held and nothing was written"),
        "currency": Column("VARCHAR", "Base currency of its totals"),
        "requests_identified": Column("BIGINT", "Requests in the feedback system"),
        "votes_total": Column("BIGINT", "Votes that count"),
        "votes_matched": Column("BIGINT", "Of those, votes with a company"),
        "records_created": Column("BIGINT", "Records created, read back; 0 of a dry run"),
        "records_updated": Column("BIGINT", "Records updated, read back; 0 of a dry run"),
        "links_created": Column("BIGINT", "Links created, read back; 0 of a dry run"),
        "links_removed": Column("BIGINT", "Links removed, read back; 0 of a dry run"),
        "rejected": Column("BIGINT", "Records and links the CRM refused"),
        "summary": Column("JSON", "The whole run summary, version 1"),
        "would_create": Column("BIGINT", f"Records {_WOULD} created; null of other runs"),
        "would_update": Column("BIGINT", f"Records {_WOULD} updated; null of other runs"),
        "would_retire": Column("BIGINT", f"Records {_WOULD} retired; null of other runs"),
        "would_link": Column("BIGINT", f"Links {_WOULD} created; null of other runs"),
        "would_unlink": Column("BIGINT", f"Links {_WOULD} removed; null of other runs"),
    },
    "ops.api_calls": {
        "run_id": Column("VARCHAR", _RUN),
        "system": Column("VARCHAR", "provider of the feedback system or CRM, slack, or internal"),
        "endpoint": Column("VARCHAR", "Method and path template"),
        "total": Column("BIGINT", "Calls, repeats included"),
        "writes": Column("BIGINT", "Calls that can change the CRM"),
        "retried": Column("BIGINT", "Of the calls, repeats"),
        "throttled": Column("BIGINT", "Answers that asked to slow down (429)"),
    },
    "ops.call_floors": {
        "run_id": Column("VARCHAR", _RUN),
        "system": Column("VARCHAR", "provider of the feedback system or CRM"),
        "calls": Column("BIGINT", "The fewest calls that the run's work takes"),
    },
    "ops.checks": {
        "run_id": Column("VARCHAR", _RUN),
        "name": Column("VARCHAR", "Name of the check"),
        "asset": Column("VARCHAR", "Asset it is about"),
        "severity": Column("VARCHAR", "ERROR closes the gate, WARN does not"),
        "passed": Column("BOOLEAN", "True when nothing was found"),
        "detail": Column("VARCHAR", "What was seen, with numbers, examples and the remedy"),
    },
    "ops.freshness": {
        "input": Column("VARCHAR", "Input, for example votes or companies"),
        "as_of": Column("TIMESTAMP", "Start of the last complete read, UTC"),
        "finished_at": Column("TIMESTAMP", "End of it, UTC"),
        "rows_read": Column("BIGINT", "Rows it read"),
    },
    "ops.unknown_fields": {
        "field": Column("VARCHAR", "System, record and field that nobody documented"),
        "run_id": Column("VARCHAR", "Run that saw it first"),
        "first_seen_at": Column("TIMESTAMP", "When it was seen first, UTC"),
        "records": Column("BIGINT", "Records that had it then"),
    },
    "ops.unreadable_fields": {
        "run_id": Column("VARCHAR", _RUN),
        "field": Column("VARCHAR", "Optional field that could not be read"),
        "records": Column("BIGINT", "Records it was left out of"),
        "examples": Column("VARCHAR[]", "Ids of three of them"),
        "reason": Column("VARCHAR", "What was wrong with it"),
    },
    "ops.table_findings": {
        "run_id": Column("VARCHAR", _RUN),
        "kind": Column("VARCHAR", "`stale`, `repeated`, `ambiguous`, `incomplete` or `encoding`"),
        "line": Column("VARCHAR", "What was odd about a table that the votes are read from"),
    },
    "ops.plans": {
        "plan_id": Column("VARCHAR", _PLAN),
        "run_id": Column("VARCHAR", "Run that made it"),
        "hash": Column("VARCHAR", "Hash over its operations and the values before them; what an approval names"),
        "kind": Column("VARCHAR", "sync or undo"),
        "status": Column("VARCHAR", "How far it came"),
        "portal_id": Column("VARCHAR", "Portal it is for"),
        "created_at": Column("TIMESTAMP", "When it was made, UTC"),
        "held_reasons": Column("VARCHAR[]", "Why it was held; empty when it was not"),
        "counts": Column("JSON", "Operations by action"),
        "approved_at": Column("TIMESTAMP", "When somebody approved it, UTC"),
    },
    "ops.plan_changes": {
        "plan_id": Column("VARCHAR", _PLAN),
        "seq": Column("BIGINT", "Place within the plan"),
        "action": Column("VARCHAR", "create, update, link, unlink, retire or roll_up"),
        "key": Column("VARCHAR", "Key of the record"),
        "target": Column("VARCHAR", "What a link leads to: company or contact; null for records"),
        "target_id": Column("VARCHAR", "Id of it in the CRM"),
        "before_values": Column("JSON", "Values of the fields before"),
        "after_values": Column("JSON", "Values of the fields after"),
        "before_labels": Column("VARCHAR[]", "Labels of the link before"),
        "after_labels": Column("VARCHAR[]", "Labels of the link after"),
        "record_id": Column("VARCHAR", "Id of the record in the CRM; null while it is to be created"),
    },
    "ops.crm_pages": {
        "portal_id": Column("VARCHAR", "Portal that was read last"),
        "company_page": Column("VARCHAR", f"{_PAGE} of a company, with {{id}} for its id; null where it is not known"),
        "request_page": Column("VARCHAR", "The same of a record of ours"),
        "pages_unknown": Column("VARCHAR", "Why the address of companies is not known, and what to do"),
    },
    "ops.migrations": {
        "number": Column("INTEGER", "Number of the migration"),
        "name": Column("VARCHAR", "Its name"),
        "checksum": Column("VARCHAR", "Digest of its text"),
        "applied_at": Column("TIMESTAMP", "When it was applied, UTC"),
    },
}

TABLES: Mapping[str, str] = {
    "ranked.feature_requests": "The ranking, one row per request",
    "ranked.merged_requests": "Requests whose votes count for another one, and which",
    "ranked.company_requests": "One row per company and request its people voted for",
    "ranked.companies": "Every company that voted for anything",
    "ranked.crm_companies": "Every company of the CRM, whether or not anybody of it voted",
    "ranked.company_segments": "Values of the properties that companies can be filtered by",
    "ranked.deals_at_stake": "The open deals behind each request, one row per request and deal",
    "ranked.why": "What the place of a request rests on: one row per company, and one per reason for votes without one",
    "ranked.unresolved_votes": "Votes that count for no company, by domain and reason",
    "ranked.rank_history": "The ranking over time: one snapshot per day, the last of the day",
    "ops.runs": "Every run that has ended, and the one under way",
    "ops.api_calls": "Calls of each run by endpoint",
    "ops.call_floors": "The fewest calls each run could have made",
    "ops.checks": "Checks of each run",
    "ops.freshness": "When each input was last read whole",
    "ops.unknown_fields": "Fields that a system sends and nobody documented",
    "ops.unreadable_fields": "Optional fields that could not be read, by run",
    "ops.table_findings": "What was odd about tables of one's own, by run",
    "ops.plans": "Plans of the last runs",
    "ops.plan_changes": "Operations of the newest plan, and the first 200 of the four before it",
    "ops.crm_pages": "Where people see records in the CRM: one row, of the portal that was read last",
    "ops.migrations": "Changes of the staging store's layout",
}
"""What each published table holds, most wanted first."""
