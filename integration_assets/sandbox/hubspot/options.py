"""What can be set on a portal: its limits, its lags, and every behaviour HubSpot does not document.

Each undocumented behaviour is an option whose docstring says "Unknown"; its default is the one that is hardest on a
client, unless noted. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ALL_SCOPES = frozenset(
    {
        "crm.export",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.custom.read",
        "crm.objects.custom.write",
        "crm.objects.deals.read",
        "crm.objects.deals.write",
        "crm.objects.owners.read",
        "crm.objects.projects.read",
        "crm.objects.projects.write",
        "crm.objects.services.read",
        "crm.objects.services.write",
        "crm.schemas.companies.read",
        "crm.schemas.companies.write",
        "crm.schemas.contacts.read",
        "crm.schemas.contacts.write",
        "crm.schemas.custom.read",
        "crm.schemas.custom.write",
        "tickets",
    }
)
"""Every scope the look-alike knows of, `oauth` apart, which every service key has."""


Subscription = Literal["free", "starter", "professional", "enterprise"]


@dataclass(frozen=True)
class RateLimits:
    """How many calls pass. None: no limit. Defaults are those of a Professional account."""

    ten_secondly: int | None = 190
    """Ordinary calls per app in any 10 s."""
    daily: int | None = 625_000
    """Calls per account from midnight to midnight in the portal's time zone."""
    search_secondly: int | None = 5
    """Searches per account in any second."""
    association_ten_secondly: int | None = 150
    """Association calls per app in any 10 s; they do not count as ordinary calls."""
    association_daily: int | None = 500_000
    """Association calls per account and day."""


@dataclass(frozen=True)
class PortalOptions:
    """How one portal behaves."""

    seed: int = 0
    """Decides ids, the order of results and where unknown fields appear, together with the portal id."""
    rates: RateLimits = field(default_factory=RateLimits)
    plan: Subscription = "enterprise"
    """The subscription. Only Enterprise has custom objects, and only Professional and Enterprise have labels."""
    custom_objects: bool = True
    """False: custom objects can neither be made nor used, although the plan would have them."""
    schemas_below_enterprise: Literal["refused", "empty"] = "refused"
    """Unknown: whether the list of custom objects is refused with 403 on smaller plans, or answered without any."""
    activated: frozenset[str] = frozenset()
    """Objects of the library that a person has activated: "services", "projects"."""
    stage_is_required: bool = True
    """Unknown for all but tickets: whether a new record needs a pipeline and a stage."""
    max_pipelines: int = 15
    """Most pipelines per object; smaller plans have fewer."""
    no_custom_objects_status: Literal[400, 403] = 403
    """Unknown: how creating a custom object is refused without the subscription."""
    accept_legacy_paths: bool = False
    """Serve v3 and v4 paths too, for foreign clients that know no other, with v4's 204 for removed associations."""

    ui_domain: str = "app.hubspot.invalid"
    """Host of the pages of records. Real portals say app.hubspot.com, where the id of this one may be somebody's."""

    search_lag: float = 5.0
    """How long after a write search still shows the old state."""
    property_lag: float = 0.05
    """How long a new or changed property stays invisible in reads of definitions."""
    schema_lag: float = 0.1
    """How long a new or changed schema or association label stays invisible in reads."""
    schema_flip: float = 0.3
    """How long after a change the read of a single schema alternates between new and old."""

    association_limit: int = 50_000
    """Most records of one type that one record may be associated with."""
    association_limits: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """The same for single pairs, by canonical names: ("feature_request", "companies")."""
    association_page_size: int = 500
    """Most associated records one association read returns per record."""
    label_limit: int = 50
    """Most labels per pair of types; one more is answered 437. The guide says 10, 50 was seen."""
    max_url_length: int = 16_000
    """Unknown: longest path and query in bytes; longer ones are answered 414."""
    max_unique_properties: int = 10
    """Most properties with unique values per object."""
    max_properties: int = 1_000
    """Most custom properties per object; smaller plans have fewer."""
    max_custom_objects: int = 10
    """Most custom objects. Unknown: how one more is refused; here with 400."""
    max_merges: int = 250
    """Most records one record may have swallowed."""

    exports_per_day: int = 30
    """Exports in any 24 hours."""
    export_seconds: float = 1.0
    """How long an export takes once it is its turn."""
    export_link_seconds: float = 300.0
    """How long the address of a file is good."""
    export_link_base: str | None = None
    """Where files are said to be; None: on this server."""
    export_plain_bytes: int = 2_000_000
    """Larger files come as an archive."""
    export_rows_per_file: int = 1_000_000

    unknown_field_rate: float = 0.1
    """Share of answers, and of records in them, that carry a field nobody documented."""
    over_limit_message: str = "The batch input holds more than the maximum number of items"
    """Unknown: what a batch that is too long is told."""
    null_in_write: Literal["rejected", "clears", "ignored"] = "rejected"
    """Unknown: what `null` as a property value does."""
    cleared_reads_as: Literal["null", "empty"] = "null"
    """Unknown: how a property that was cleared with an empty string reads back."""
    unique_values_fold_case: bool = True
    """Unknown: whether "A" and "a" are the same unique value. E-mail addresses always are."""
    archived_values_stay_taken: bool = False
    """Unknown: whether the unique value of an archived record is refused to others."""
    noop_moves_modified: bool = True
    """Unknown: whether writing what is already there moves the modification date."""
    association_moves_modified: bool = False
    """Unknown: whether associating records moves their modification dates."""
    conflict_with_trace_ids: Literal["whole_batch", "per_record"] = "whole_batch"
    """Unknown: whether a unique conflict rejects the batch although every input has its trace id."""
    conflict_status: Literal[409, 400] = 409
    """How a unique conflict in a batch is refused; both were seen."""
    merged_id_in_update: Literal["omitted", "survivor", "missing"] = "omitted"
    """Unknown beyond one observation: a batch update by an id that was merged away."""
    merged_id_in_read: Literal["survivor", "missing"] = "survivor"
    """Unknown: whether reads by an id that was merged away find the survivor."""
    preserve_primary_id: bool = False
    """True: an account in the beta where a merge keeps the id of the primary record."""
    text_length_unit: Literal["utf16", "codepoint"] = "utf16"
    """Unknown: what the 65,536 characters of a text value are counted in."""
    unassociated_in_batch_read: Literal["error", "omitted", "empty"] = "error"
    """Undocumented: how a batch read of associations answers a record that has none. "error" was widely seen."""
    over_association_limit: Literal["per_pair", "whole_batch"] = "per_pair"
    """Unknown: whether associating beyond the limit rejects the pair or the batch."""
    default_on_custom_pair: Literal["rejected", "accepted"] = "rejected"
    """Unknown: whether the default association works between a custom object and another."""
    first_company_becomes_primary: bool = True
    """Undocumented: whether the first company a contact or a ticket is associated with becomes its primary one."""
    associating_needs: Literal["both", "from"] = "both"
    """Unknown: whose write scope associating needs."""
    association_rate_headers: bool = True
    """Unknown: whether association answers carry rate headers; they would tell of the associations' own limit."""
    rate_limit_category: bool = False
    """Newer 429 bodies carry a category; the documented ones do not."""
    parent_property: bool = True
    """Undocumented: whether companies have the derived property `hs_parent_company_id`."""
    list_standard_schemas: bool = False
    """Unknown: whether the list of schemas includes companies and contacts."""

    @property
    def has_custom_objects(self) -> bool:
        """True if custom objects can be made."""
        return self.custom_objects and self.plan == "enterprise"

    @property
    def has_labels(self) -> bool:
        """True if associations can have labels."""
        return self.plan in {"professional", "enterprise"}
