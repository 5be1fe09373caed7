"""Our object in the CRM: its managed properties, its links, who may change a field, and how values are compared.

This table is the one place that says what a managed property is. `MAPPING_VERSION` is a digest of it: when it changes,
the next plan is held until somebody has looked at it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Literal

import msgspec

from integration_assets.models import (
    LinkDefinition,
    ObjectDefinition,
    PropertyDefinition,
    PropertyKind,
    Status,
    TextLimits,
)

TRUNCATION_MARK = "… [truncated]"
STATE_DIGITS = 6
"""Hex digits per field in `managed_state`: enough to notice an edit, short enough for every field."""

KEY = "feature_request_key"
MANAGED_STATE = "managed_state"
RETIRED_AT = "retired_at"
RETIRED_REASON = "retired_reason"


class RetiredReason(StrEnum):
    """Reason why a record is no longer kept up to date."""

    MERGED = "merged"
    DELETED = "deleted"
    EXCLUDED = "excluded"
    UNDONE = "undone"


class FieldKind(StrEnum):
    """Owner of a field's value. LIFECYCLE is ours and changes without a report; BOOKKEEPING is never compared."""

    KEY = "key"
    COMPUTED = "computed"
    EDITABLE = "editable"
    LIFECYCLE = "lifecycle"
    BOOKKEEPING = "bookkeeping"


class FieldPolicy(msgspec.Struct, frozen=True):
    """Rule by which one field is reconciled.

    `clear_when_empty`: an absent source value clears the CRM; otherwise it leaves the CRM alone. `on_conflict` decides
    for an EDITABLE field that both sides changed.
    """

    kind: FieldKind
    clear_when_empty: bool = False
    on_conflict: Literal["ours", "theirs"] = "ours"


_STATUS_LABELS = tuple((status.value, status.value.replace("_", " ").capitalize()) for status in Status)
_REASON_LABELS = tuple((reason.value, reason.value.capitalize()) for reason in RetiredReason)


def _text(name: str, label: str, description: str, *, unique: bool = False) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.TEXT, unique, (), description)


def _long_text(name: str, label: str, description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.LONG_TEXT, description=description)


def _number(name: str, label: str, description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.NUMBER, description=description)


def _money(name: str, label: str, description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.MONEY, description=description)


def _time(name: str, label: str, description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.DATE_TIME, description=description)


def _address(name: str, label: str, description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.ADDRESS, description=description)


def _choice(name: str, label: str, options: tuple[tuple[str, str], ...], description: str) -> PropertyDefinition:
    return PropertyDefinition(name, label, PropertyKind.OPTION, options=options, description=description)


_KEPT = "You may change it here: that stays until it changes in the feedback system."
FEATURE_REQUEST = ObjectDefinition(
    name="feature_request",
    singular="Feature request",
    plural="Feature requests",
    group="feature_request_sync",
    group_label="Feature request sync",
    key_property=KEY,
    display_property="title",
    properties=(
        _text(
            KEY,
            "Feature request key",
            "Which request this is: the feedback system and the id there. The sync finds the record by it; leave it.",
            unique=True,
        ),
        _text("title", "Title", f"What is asked for, in one line. {_KEPT}"),
        _choice("status", "Status", _STATUS_LABELS, f"How far the request has come. {_KEPT}"),
        _text(
            "source_status",
            "Source status",
            "The status in the feedback system's own words, such as needs more info, where Status says Unknown.",
        ),
        _address("url", "URL", "Opens the request in the feedback system, with what people wrote there."),
        _text("board", "Board", f"Board of the feedback system on which it was asked. {_KEPT}"),
        _text("category", "Category", f"Category within the board. {_KEPT}"),
        _long_text("details", "Details", f"What the author of the request wrote. {_KEPT}"),
        _number("votes", "Votes", "How many votes count. Several people of one company are several votes."),
        _number("companies", "Companies", "How many companies voted. A company counts once, whoever of it voted."),
        _money(
            "arr",
            "ARR",
            "Annual recurring revenue of the companies that voted, each once. One without a known figure adds nothing.",
        ),
        _long_text("voter_domains", "Voter domains", "Company e-mail domains of the voters, one on each line."),
        _time("requested_at", "Requested at", "When it was first asked for."),
        _time("last_vote_at", "Last vote at", "When the newest vote came in."),
        _text("source", "Source", "Feedback system the request is in."),
        _time(
            RETIRED_AT,
            "Retired at",
            "When the request was merged, deleted or left out. From then on nobody updates this record; empty before.",
        ),
        _choice(RETIRED_REASON, "Retired reason", _REASON_LABELS, "Why nobody updates this record any more."),
        _long_text(MANAGED_STATE, "Managed state", "Notes of the sync on what it wrote last. Do not change."),
    ),
    links=(
        LinkDefinition("voted", "company", "Voted", "Voted for"),
        LinkDefinition("voter", "contact", "Voter", "Voted for"),
        LinkDefinition("author", "contact", "Author", "Author of"),
    ),
    summary_properties=("status", "arr"),
)

EARLIER_TEXTS: Mapping[str, tuple[str, ...]] = {
    KEY: ("Identity of the request: <source>:<id>. Do not change.",),
    "title": ("Title of the request; may be edited here.",),
    "status": ("Status of the request; may be edited here.",),
    "source_status": (
        "Status in the words of the feedback system.",
        "The status in the feedback system's own words, such as on hold, where Status says Unknown.",
    ),
    "url": ("Address of the request in the feedback system.",),
    "board": ("Board of the request; may be edited here.",),
    "category": ("Category of the request; may be edited here.",),
    "details": ("Text of the request; may be edited here.",),
    "votes": ("Votes that count.",),
    "companies": ("Distinct companies that voted.",),
    "arr": ("Annual recurring revenue of the distinct companies that voted.",),
    "voter_domains": ("Business mail domains of the voters, one per line.",),
    "requested_at": ("When the request was made.",),
    "last_vote_at": ("When the last vote came in.",),
    "source": ("Feedback system the request lives in.",),
    RETIRED_AT: ("When the request left the feedback system; empty while it lives.",),
    RETIRED_REASON: ("Why the request left the feedback system.",),
    MANAGED_STATE: ("Bookkeeping of the sync. Do not change.",),
}
"""Help texts that earlier versions gave properties: `setup` replaces these, and none that a person wrote."""

_EDITABLE = FieldPolicy(FieldKind.EDITABLE)
_COMPUTED = FieldPolicy(FieldKind.COMPUTED)
_COMPUTED_CLEARED = FieldPolicy(FieldKind.COMPUTED, clear_when_empty=True)
_LIFECYCLE = FieldPolicy(FieldKind.LIFECYCLE, clear_when_empty=True)

POLICIES: Mapping[str, FieldPolicy] = {
    KEY: FieldPolicy(FieldKind.KEY),
    "title": _EDITABLE,
    "status": _EDITABLE,
    "source_status": _COMPUTED,
    "url": _COMPUTED,
    "board": _EDITABLE,
    "category": _EDITABLE,
    "details": _EDITABLE,
    "votes": _COMPUTED,
    "companies": _COMPUTED,
    "arr": _COMPUTED,
    "voter_domains": _COMPUTED_CLEARED,
    "requested_at": _COMPUTED,
    "last_vote_at": _COMPUTED_CLEARED,
    "source": _COMPUTED,
    RETIRED_AT: _LIFECYCLE,
    RETIRED_REASON: _LIFECYCLE,
    MANAGED_STATE: FieldPolicy(FieldKind.BOOKKEEPING),
}

ALWAYS_WRITTEN = frozenset(
    {KEY, "title", "status", "votes", "companies", "arr", "source", MANAGED_STATE},
)
"""Fields every created record carries: a portal may make these required without rejecting us."""

COMPARED_FIELDS = tuple(name for name, policy in POLICIES.items() if policy.kind is not FieldKind.BOOKKEEPING)
STATE_FIELDS = tuple(name for name in COMPARED_FIELDS if POLICIES[name].kind is not FieldKind.KEY)
"""Fields `managed_state` carries a digest of."""

OUR_LABELS = tuple(link.name for link in FEATURE_REQUEST.links)

_KINDS = {definition.name: definition.kind for definition in FEATURE_REQUEST.properties}
# C0 and C1 controls but tab and line feed, and lone surrogates: neither JSON nor the staging store can carry them.
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# the exponent is bounded: written out, a number with a long one would fill the memory
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_TENANT_MARK = re.compile(r"(?:^|\s)tenant:([a-z0-9][a-z0-9-]{0,62})(?=\s|$)")
_EPOCH_MILLISECONDS = re.compile(r"-?\d{1,14}")


def mapping_version(definition: ObjectDefinition, policies: Mapping[str, FieldPolicy]) -> str:
    """Twelve hex digits that change with every property, link and policy, but not with what people are shown."""
    # Help texts, and what stands beside a name, say nothing of what is written: better ones must not hold a plan.
    plain = tuple(msgspec.structs.replace(item, description="") for item in definition.properties)
    mapping = (msgspec.structs.replace(definition, properties=plain, summary_properties=()), policies)
    return hashlib.sha256(msgspec.json.encode(mapping, order="deterministic")).hexdigest()[:12]


MAPPING_VERSION = mapping_version(FEATURE_REQUEST, POLICIES)
_SAME_MAPPING = frozenset({"4346d3521c94", "d5f8c149e64c", "3d7aeef9ae90", "0dc4b836cbd3"})
"""Digests of one and the same mapping: earlier versions described the kinds of properties in other words, digested the
help texts as well, and did not have the status on hold yet. Once the mapping changes, its digest is none of these."""


def same_mapping(one: str, other: str) -> bool:
    """Tell whether two values of `MAPPING_VERSION` stand for the same mapping."""
    return one == other or {one, other} <= _SAME_MAPPING


def record_key(source_names: Sequence[str], request_id: str) -> str:
    """Value of the unique key of a request: `<source>:<request id>`, lower-case."""
    return f"{key_prefix(source_names)}{request_id}".lower()


def key_prefix(source_names: Sequence[str]) -> str:
    """Return what is before the id of a request in its key: the ids of several sources begin with their names."""
    return f"{source_names[0]}:" if len(source_names) == 1 else ""


def normalise(field: str, value: Any, limits: TextLimits | None = None) -> str:
    """`value` of managed property `field` as the CRM hands it back after a write; "" when unset.

    Both what we want and what the CRM holds go through here, so that a difference is a difference of meaning. `limits`
    are the CRM's: what we want is cut to what it keeps.
    """
    return normalise_as(_KINDS[field], value, limits)


def normalise_as(kind: PropertyKind, value: Any, limits: TextLimits | None = None) -> str:
    """The same for any property of this kind."""
    if value is None:
        return ""
    if kind in {PropertyKind.NUMBER, PropertyKind.MONEY}:
        return _plain_number(value)
    if kind is PropertyKind.DATE_TIME:
        return _iso_milliseconds(value, whole_seconds=limits is not None and limits.whole_seconds)
    if isinstance(value, (list, tuple)):
        # the order of a list means nothing: sorted, it is no difference
        value = "\n".join(sorted(str(item) for item in value))
    text = _safe_text(str(value))
    most = limits.of(kind) if limits else None
    return text if most is None else _cut(text, most)


def _safe_text(text: str) -> str:
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _cut(text: str, most: int) -> str:
    """`text`, or as much of it as `most` UTF-16 units hold, with a mark that something is missing."""
    if _utf16_units(text) <= most:
        return text
    room = most - _utf16_units(TRUNCATION_MARK)
    # surrogatepass is not needed: cutting the encoded form at an odd surrogate is repaired by ignoring the half
    cut = text.encode("utf-16-le")[: room * 2].decode("utf-16-le", errors="ignore")
    return cut.rstrip() + TRUNCATION_MARK


def _utf16_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _plain_number(value: Any) -> str:
    text = str(value).strip()
    # what is no number stays as it is: one bad value must not end the comparison of all
    if not _NUMBER.fullmatch(text):
        return _safe_text(text)
    try:
        plain = format(Decimal(text), "f")
    except InvalidOperation:
        return _safe_text(text)
    # 5 and 5.00 are one number
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in {"-0", ""} else plain


def _iso_milliseconds(value: Any, *, whole_seconds: bool) -> str:
    moment = value if isinstance(value, datetime) else _parsed_time(str(value).strip())
    if moment is None:
        return _safe_text(str(value))
    # without a zone it comes from the staging store, which keeps UTC
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    milliseconds = 0 if whole_seconds else moment.microsecond // 1000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _parsed_time(text: str) -> datetime | None:
    try:
        if _EPOCH_MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None


def digest(value: str) -> str:
    """The digits `managed_state` keeps of a normalised value."""
    return hashlib.sha256(value.encode()).hexdigest()[:STATE_DIGITS]


def managed_state(values: Mapping[str, str], tenant: str | None = None) -> str:
    """Text of `managed_state` for these normalised values: one `field:digest` per managed field, and whose it is."""
    return state_text({field: digest(values.get(field, "")) for field in STATE_FIELDS}, tenant)


def state_text(digests: Mapping[str, str], tenant: str | None = None) -> str:
    """Text of the `managed_state` property for digests by field, in the order of the table, and the tenant's mark."""
    parts = [f"{field}:{digests[field]}" for field in STATE_FIELDS if field in digests]
    return " ".join([*parts, f"tenant:{tenant}"] if tenant else parts)


def tenant_mark(text: str) -> str | None:
    """The tenant that a `managed_state` names; None for one of earlier versions, or a damaged one."""
    found = _TENANT_MARK.search(text)
    return found[1] if found else None


def parse_managed_state(text: str) -> dict[str, str]:
    """Digests by field; whatever is not one of ours is ignored, so a damaged text is no worse than a missing one."""
    pairs: Iterable[tuple[str, str, str]] = (part.partition(":") for part in text.split())
    return {
        field: digits
        for field, _, digits in pairs
        if field in STATE_FIELDS and re.fullmatch(rf"[0-9a-f]{{{STATE_DIGITS}}}", digits)
    }
