"""Quarantine, for people: how many records a run could not use or write, why, three of them by id, and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import msgspec

from integration_assets.models import REQUEST_WITHOUT_ID, LiveSchema
from integration_assets.reporting.text import clean, count
from integration_assets.sql import read_sql

MOST_REASONS = 50
"""Reasons a summary names, the commonest first: the count of each stage has the rest."""
NUMBER_TYPES = frozenset({"number"})

NOUNS: Mapping[str, tuple[str, str]] = {
    "account": ("account", "accounts"),
    "arr": ("ARR figure", "ARR figures"),
    "board": ("board", "boards"),
    "company": ("company", "companies"),
    "contact": ("contact", "contacts"),
    "crm_feature_request": ("CRM record", "CRM records"),
    "deal": ("deal", "deals"),
    "feature_request": ("request", "requests"),
    "internal_account": ("row of an internal system", "rows of internal systems"),
    "link": ("link", "links"),
    "membership": ("membership of an account", "memberships of accounts"),
    "merged_request": ("merged request", "merged requests"),
    "override": ("override", "overrides"),
    "same_request": ("line of same requests", "lines of same requests"),
    "status_change": ("status change", "status changes"),
    "vote": ("vote", "votes"),
    "voter": ("voter", "voters"),
}
"""Kinds of record, as people call them."""

_IN_FEEDBACK = "correct it in the feedback system"
_IN_CRM = "correct it in the CRM"
REMEDIES: Mapping[tuple[str, str | None], str] = {
    ("arr", "negative"): "correct the figure where it is kept: ARR is never below zero",
    ("arr", "not_a_number"): "write the figure as a plain number, such as 1200.50",
    ("arr", "too_large"): "correct the figure where it is kept: more than 100 billion is a mistake in any currency",
    ("deal", "negative"): "correct the amount in the CRM: what a deal may bring is never below zero",
    ("deal", "too_large"): "correct the amount in the CRM: more than 100 billion is a mistake in any currency",
    ("feature_request", "no title"): "give it a title in the feedback system",
    ("vote", "request_gone"): "run `sync --full`: their requests are not in the feedback system any more",
    ("vote", REQUEST_WITHOUT_ID): "correct the request without id in the feedback system",
    ("merged_request", None): "correct the request it was merged into",
    ("internal_account", None): "correct the row in the internal system, or the path of the field in its mapping",
    ("override", None): "correct or remove the line: `integration-assets overrides list`",
    ("same_request", None): "correct or remove the line of the file of same requests",
    ("company", None): _IN_CRM,
    ("contact", None): _IN_CRM,
    ("crm_feature_request", None): _IN_CRM,
    ("deal", None): _IN_CRM,
    ("link", None): "look at the reason: the CRM refuses the link",
    ("account", None): _IN_FEEDBACK,
    ("board", None): _IN_FEEDBACK,
    ("feature_request", None): _IN_FEEDBACK,
    ("membership", None): _IN_FEEDBACK,
    ("status_change", None): _IN_FEEDBACK,
    ("vote", None): _IN_FEEDBACK,
    ("voter", None): _IN_FEEDBACK,
}
"""Remedies by kind and reason, else by kind."""
_REFUSED = "look at the reason: the CRM refuses the record"
_WRITING = "crm_feature_requests"


class QuarantineLine(msgspec.Struct, frozen=True):
    """One reason why records of one kind were not used or written. `votes` are those on the requests among them.

    `examples` are ids of at most three records, with what leads a person there; `remedy` is one sentence.
    """

    stage: str
    kind: str
    reason: str
    records: int
    votes: int
    examples: tuple[str, ...]
    remedy: str

    @property
    def text(self) -> str:
        """All of it in one line."""
        noun = count(self.records, *NOUNS.get(self.kind, (self.kind.replace("_", " "), self.kind.replace("_", " "))))
        more = ", …" if self.records > len(self.examples) else ""
        votes = f", {count(self.votes, 'vote')} on them not counted" if self.votes else ""
        return f"{noun}, {self.reason.replace('_', ' ')}: {', '.join(self.examples)}{more}{votes}; {self.remedy}"


_ANY_OF_STAGE = "SELECT 1 FROM sync.quarantine WHERE run_id = ? AND stage = ? LIMIT 1"


def keeps_out(connection: duckdb.DuckDBPyConnection, run_id: str, stage: str) -> bool:
    """True if a stage of a run kept any record out."""
    return bool(connection.execute(_ANY_OF_STAGE, [run_id, stage]).fetchall())


def read_quarantine(
    connection: duckdb.DuckDBPyConnection, run_id: str, *, arr_property: str | None = None, stage: str | None = None
) -> tuple[QuarantineLine, ...]:
    """Read the reasons why a run could not use or write records, the commonest first; all, or those of one stage.

    `arr_property` is the mapped company property with ARR: where it does not hold numbers, that is the remedy.
    """
    # Most stages keep nothing out, and the reasons take DuckDB twenty times as long as this question.
    if stage is not None and not keeps_out(connection, run_id, stage):
        return ()
    rows = connection.execute(
        read_sql("reporting/quarantine_reasons"), {"run_id": run_id, "most": MOST_REASONS}
    ).fetchall()
    # Asked once and only when needed: it reads the portal's schema.
    arr_remedy = _arr_remedy(connection, arr_property) if any(kind == "arr" for _, kind, *_ in rows) else None
    return tuple(
        QuarantineLine(
            stage=of_stage,
            kind=kind,
            reason=clean(reason),
            records=records,
            votes=votes,
            examples=tuple(_example(example) for example in examples),
            # One remedy for the property instead of one for each figure: it is the mapping that is wrong.
            remedy=(arr_remedy if source == "crm" and reason == "not_a_number" else None)
            or _remedy(of_stage, kind, reason),
        )
        for of_stage, kind, source, reason, records, votes, examples in rows
        if stage in (None, of_stage)
    )


def _example(record: Mapping[str, Any]) -> str:
    details = [record["url"]] if record["url"] else []
    details += [count(record["votes"], "vote")] if record["votes"] else []
    # A record without id is quarantined for just that, and still has to be named somehow.
    shown = clean(record["key"]) or "without id"
    return clean(f"{shown} ({', '.join(details)})") if details else shown


def _remedy(stage: str, kind: str, reason: str) -> str:
    # What the CRM refused has no remedy by kind: its reason is the CRM's own.
    if stage == _WRITING and kind != "link":
        return _REFUSED
    # The exact reason first; reasons with values in them are in no table.
    return REMEDIES.get((kind, reason)) or REMEDIES.get((kind, None), "look at the reason")


def _arr_remedy(connection: duckdb.DuckDBPyConnection, name: str | None) -> str | None:
    """Name the remedy for figures of a CRM property that are no numbers; None where the property holds numbers."""
    rows = connection.execute("SELECT schema_json FROM raw.crm_portals WHERE role = 'target'").fetchall()
    # Without a schema nothing is known of the property, and the general remedy stands.
    if name is None or not rows or rows[0][0] is None:
        return None
    schema = msgspec.json.decode(rows[0][0], type=LiveSchema)
    kind = next((item.type for item in schema.company_properties if item.name == name), None)
    # A number property is mapped well: single figures are wrong, not the mapping.
    if kind is None or kind in NUMBER_TYPES:
        return None
    return f"`{name}` is a {'text' if kind == 'string' else kind} property: map a number property"
