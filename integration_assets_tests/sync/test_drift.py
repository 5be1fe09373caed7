"""Schema drift by name: what a portal lacks, and what sandbox and production do not share."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from integration_assets.models import (
    LiveLink,
    LiveProperty,
    LiveSchema,
    Obstacle,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyKind,
    SchemaWords,
    TypeDifference,
)
from integration_assets.sync.company_rollups import ROLLUPS
from integration_assets.sync.drift import RUN_SETUP, Drift, Severity, environments_differ, target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.setup import plan_setup
from integration_assets_tests.sync.fake_crm import live_property

ARR = LiveProperty("arr_usd", "number", "number", unique=False, writable=True, options=())
OTHER_TYPE = TypeDifference("type is string, expected number")
SCHEMA = LiveSchema(
    Portal("1", PortalKind.SANDBOX),
    object_present=True,
    object_archived=False,
    properties=tuple(live_property(prop) for prop in FEATURE_REQUEST.properties),
    links=tuple(LiveLink(link.target, link.name, link.label) for link in FEATURE_REQUEST.links),
    company_properties=(ARR,),
)


def with_property(name: str, **changes: Any) -> LiveSchema:
    return msgspec.structs.replace(
        SCHEMA,
        properties=tuple(
            msgspec.structs.replace(prop, **changes) if prop.name == name else prop for prop in SCHEMA.properties
        ),
    )


def without_property(name: str) -> LiveSchema:
    return msgspec.structs.replace(SCHEMA, properties=tuple(prop for prop in SCHEMA.properties if prop.name != name))


def problems(live: LiveSchema, **changes: Any) -> list[Drift]:
    return target_problems(FEATURE_REQUEST, live, **{"link_contacts": True, **changes})


def test_a_portal_as_declared_has_no_problem():
    """Extra options and extra properties of the portal are its own business."""
    assert problems(SCHEMA, company_properties=["arr_usd"], most_companies=10**6) == []
    options = ("open", "own", *(value for value in live_property(FEATURE_REQUEST.properties[2]).options or ()))
    extra = LiveProperty("theirs", "string", "text", unique=False, writable=False, options=())
    more = with_property("status", options=options)
    assert problems(msgspec.structs.replace(more, properties=(*more.properties, extra))) == []


@pytest.mark.parametrize(
    ("live", "name", "words"),
    [
        (without_property("url"), "feature_request.url", "missing"),
        (with_property("url", archived=True), "feature_request.url", "archived"),
        (with_property("votes", difference=OTHER_TYPE), "feature_request.votes", "type is string, expected number"),
        (with_property("status", options=("open",)), "feature_request.status", "options missing: under_review"),
        (with_property("feature_request_key", unique=False), "feature_request.feature_request_key", "unique"),
        (with_property("title", writable=False), "feature_request.title", "read-only"),
        (with_property("category", required=True), "feature_request.category", "requires a value"),
        (msgspec.structs.replace(SCHEMA, links=SCHEMA.links[1:]), "link voted (company)", "missing"),
        (msgspec.structs.replace(SCHEMA, company_properties=()), "company.arr_usd", "missing"),
        (msgspec.structs.replace(SCHEMA, object_present=False), "feature_request", "missing"),
        (msgspec.structs.replace(SCHEMA, object_present=False, object_archived=True), "feature_request", "archived"),
    ],
)
def test_each_kind_of_drift_is_an_error_of_its_own(live: LiveSchema, name: str, words: str):
    """One difference, one finding that names what and how."""
    (drift,) = problems(live, company_properties=["arr_usd"])
    assert (drift.name, drift.severity) == (name, Severity.ERROR)
    assert words in drift.detail


def test_options_kept_outside_the_portal_are_not_judged():
    """An enumeration whose options are None passes."""
    assert problems(with_property("status", options=None)) == []


def test_a_field_every_record_has_may_be_required():
    """A portal that demands a title does not reject us."""
    assert problems(with_property("title", required=True)) == []


def test_contact_links_are_not_needed_when_switched_off():
    """Only the company link is looked for."""
    live = msgspec.structs.replace(SCHEMA, links=SCHEMA.links[:1])
    assert problems(live, link_contacts=False) == []
    assert [drift.name for drift in problems(live)] == ["link voter (contact)", "link author (contact)"]


def test_a_link_is_known_by_its_label_while_its_name_lags():
    """Names of labels show up minutes late."""
    links = tuple(msgspec.structs.replace(link, name=None) for link in SCHEMA.links)
    assert problems(msgspec.structs.replace(SCHEMA, links=links)) == []


def test_a_label_of_somebody_else_with_our_text_is_named_with_the_remedy():
    """It is not taken for ours, and `setup` is not the remedy: the CRM refuses a second label of one text."""
    links = (msgspec.structs.replace(SCHEMA.links[0], name="asked_for"), *SCHEMA.links[1:])
    (drift,) = problems(msgspec.structs.replace(SCHEMA, links=links))
    assert (drift.name, drift.severity) == ("link voted (company)", Severity.ERROR)
    assert "'asked_for', which is not ours" in drift.detail
    assert drift.remedy == "give 'asked_for' another text in the CRM's settings, then run `setup`"


def test_a_link_limit_that_is_too_low_is_a_warning():
    """At the limit is fine, above it warns."""
    links = tuple(msgspec.structs.replace(link, limit=500) for link in SCHEMA.links)
    live = msgspec.structs.replace(SCHEMA, links=links)
    assert problems(live, most_companies=500) == []
    (drift,) = problems(live, most_companies=501)
    assert drift.severity is Severity.WARN
    assert "501" in drift.detail


def differ(target: LiveSchema, other: LiveSchema | None, *, production: bool = True, **changes: Any) -> list[Drift]:
    return environments_differ(
        target,
        other,
        expected=FEATURE_REQUEST,
        link_contacts=True,
        production=production,
        company_properties=["arr_usd"],
        **changes,
    )


def test_equal_environments_do_not_differ_whatever_their_ids():
    """Portal, kind and options we do not use are not compared."""
    other = msgspec.structs.replace(SCHEMA, portal=Portal("2", PortalKind.STANDARD))
    options = (*(live_property(FEATURE_REQUEST.properties[2]).options or ()), "extra")
    assert (
        differ(SCHEMA, msgspec.structs.replace(other, properties=with_property("status", options=options).properties))
        == []
    )


@pytest.mark.parametrize(("production", "severity"), [(True, Severity.ERROR), (False, Severity.WARN)])
def test_a_difference_is_an_error_for_production_and_a_warning_for_the_sandbox(production: bool, severity: Severity):
    """The same difference, judged by what is to be written to."""
    (drift,) = differ(SCHEMA, with_property("votes", type="string", difference=OTHER_TYPE), production=production)
    assert (drift.name, drift.severity) == ("feature_request.votes", severity)
    assert "number" in drift.detail
    assert "string" in drift.detail


def test_a_missing_object_is_one_finding():
    """Not one for each of its properties."""
    bare = LiveSchema(Portal("2", PortalKind.STANDARD), False, False, (), (), (ARR,))
    assert [drift.name for drift in differ(SCHEMA, bare)] == ["feature_request"]


def test_company_properties_and_links_are_compared():
    """What the pipeline reads is compared as well."""
    other = msgspec.structs.replace(SCHEMA, company_properties=(), links=SCHEMA.links[:2])
    assert [drift.name for drift in differ(SCHEMA, other)] == ["link author (contact)", "company.arr_usd"]


def test_an_environment_that_cannot_be_read_is_a_warning():
    """With the reason, even when the target is production."""
    (drift,) = differ(SCHEMA, None, why_unreadable="the token was rejected")
    assert drift.severity is Severity.WARN
    assert "the token was rejected" in drift.detail


def test_what_can_still_be_written_is_a_warning_and_what_cannot_has_a_remedy():
    """The connector says what is different, in the CRM's words, and whether our values survive it."""
    harmless = with_property("title", difference=TypeDifference("shown as multi-line text", harmless=True))
    (drift,) = problems(harmless)
    assert (drift.severity, drift.text) == (Severity.WARN, "feature_request.title: shown as multi-line text")
    (drift,) = problems(with_property("title", difference=TypeDifference("it is rich text", remedy="change it back")))
    assert (drift.severity, drift.text) == (Severity.ERROR, "feature_request.title: it is rich text; change it back")
    (drift,) = problems(with_property("title", difference=OTHER_TYPE))
    assert (drift.severity, drift.detail) == (Severity.ERROR, OTHER_TYPE.detail)
    assert "CRM's settings" in drift.remedy
    assert "anew" in drift.remedy


def test_options_are_missing_only_where_there_can_be_any():
    """A property of another type has no options: the type is the one finding then."""
    assert len(problems(with_property("status", difference=OTHER_TYPE, options=()))) == 1
    assert len(problems(with_property("status", difference=OTHER_TYPE, options=("open",)))) == 2
    assert "options missing" in problems(with_property("status", options=()))[0].detail
    [mended] = problems(with_property("status", options=(), amendable=True))
    assert mended.remedy == RUN_SETUP


def test_a_help_text_of_ours_that_is_old_or_missing_is_a_warning() -> None:
    """`setup` writes it; what a person wrote, or the portal does not let us change, is none of our business."""
    for text in ("", "Votes that count."):
        [found] = problems(with_property("votes", description=text, amendable=True))
        assert (found.severity, found.remedy) == (Severity.WARN, RUN_SETUP)
        assert found.detail == "the help text of votes is missing or of an earlier version"
    assert problems(with_property("votes", description="Counted by hand.", amendable=True)) == []
    assert problems(with_property("votes", description="")) == []


def test_help_texts_that_are_all_old_are_one_warning() -> None:
    """As after an upgrade: one of each property would hide everything else."""
    properties = tuple(msgspec.structs.replace(one, description="", amendable=True) for one in SCHEMA.properties)
    [found] = problems(msgspec.structs.replace(SCHEMA, properties=properties))
    assert found.detail.startswith(f"the help texts of {len(properties)} properties (feature_request_key, title, ")


def test_a_difference_in_drawing_is_a_warning_also_between_sandbox_and_production():
    """What was tried is what will be written; a field that changes values in either is an error of production."""
    drawn, spoilt = TypeDifference("drawn otherwise", harmless=True), TypeDifference("takes several values")
    radio = with_property("status", field_type="radio", difference=drawn)
    several = with_property("status", field_type="checkbox", difference=spoilt)
    assert [drift.severity for drift in differ(SCHEMA, radio)] == [Severity.WARN]
    assert [drift.severity for drift in differ(SCHEMA, several)] == [Severity.ERROR]
    text = msgspec.structs.replace(SCHEMA, company_properties=(msgspec.structs.replace(ARR, type="string"),))
    (arr,) = differ(SCHEMA, text)
    assert (arr.name, arr.severity) == ("company.arr_usd", Severity.WARN)
    assert "the same" in arr.remedy


def test_an_object_of_others_is_one_finding_and_what_is_in_the_way():
    """What it lacks of ours is no news; what ours lacks is, whatever people added to it."""
    bare = msgspec.structs.replace(SCHEMA, properties=(), other_properties=("team", "squad"))
    (drift,) = problems(bare)
    assert (drift.name, drift.severity) == ("feature_request", Severity.ERROR)
    assert "not ours: it has team, squad and no feature_request_key" in drift.detail
    assert problems(msgspec.structs.replace(SCHEMA, other_properties=("team",))) == []
    half = tuple(
        msgspec.structs.replace(prop, group=FEATURE_REQUEST.group) for prop in SCHEMA.properties if prop.name == "url"
    )
    ours = problems(msgspec.structs.replace(SCHEMA, properties=half, other_properties=("team",)))
    assert {drift.detail for drift in ours} == {"the property is missing"}


def test_a_portal_without_labels_is_one_warning_and_no_label_is_missing():
    """It says what is lost, once; limits of links hold all the same."""
    plain = tuple(LiveLink(target, None, None, 5) for target in ("company", "contact"))
    live = msgspec.structs.replace(SCHEMA, links=plain, unlabelled="not on this plan")
    (drift,) = problems(live)
    assert (drift.name, drift.severity, drift.detail) == ("link labels", Severity.WARN, "not on this plan")
    limits = problems(live, most_companies=6)[1:]
    assert [(one.name, one.severity) for one in limits] == [("link company", Severity.WARN)]
    for here, there in ((live, SCHEMA), (SCHEMA, live)):
        (drift,) = differ(here, there)
        assert (drift.name, drift.severity) == ("link labels", Severity.WARN)


def test_what_the_connector_needs_beside_our_properties_is_missing_like_one_of_ours():
    """A marker of our records, and things that are no properties: `setup` makes both."""
    marker = PropertyDefinition("marker", "Marker", PropertyKind.TEXT)
    live = msgspec.structs.replace(SCHEMA, needed_properties=(marker,), lacking=("pipeline Requests",))
    assert [(drift.name, drift.detail, drift.remedy) for drift in problems(live)] == [
        ("feature_request.marker", "the property is missing", RUN_SETUP),
        ("feature_request", "pipeline Requests is missing", RUN_SETUP),
    ]
    other = msgspec.structs.replace(SCHEMA, properties=(*SCHEMA.properties, live_property(marker)))
    assert [drift.name for drift in differ(live, other)] == ["feature_request.marker"]


def test_an_obstacle_stands_instead_of_the_missing_object():
    """`setup` cannot make it: the finding says what a person has to do."""
    obstacle = Obstacle("services are not activated", "activate them")
    absent = msgspec.structs.replace(SCHEMA, object_present=False, properties=(), links=(), obstacles=(obstacle,))
    assert [drift.text for drift in problems(absent)] == ["feature_request: services are not activated; activate them"]
    assert [drift.detail for drift in problems(msgspec.structs.replace(SCHEMA, obstacles=(obstacle,)))] == [
        "services are not activated"
    ]


def test_people_are_told_in_the_words_of_their_crm() -> None:
    """Names of differences stay; what is said of them is what the CRM's own settings say."""
    words = SchemaWords("field", "fields", "account", "accounts")
    live = msgspec.structs.replace(with_property("votes", archived=True), rollups=(), words=words)
    found = target_problems(FEATURE_REQUEST, live, link_contacts=True, company_properties=["arr"], rollups=ROLLUPS)
    told = {one.name: one.detail for one in found if one.severity is Severity.ERROR}
    assert told["feature_request.votes"] == "the field is archived"
    assert told["company.feature_requests_open"] == "the field is missing"
    assert told["company.arr"] == "the mapped account field is missing"
    ready = msgspec.structs.replace(SCHEMA, rollups=(), words=words)
    assert [step.line for step in plan_setup(FEATURE_REQUEST, ready, (), ROLLUPS)] == [
        "create 2 fields of accounts, in a group feature_request_sync: feature_requests_open, top_feature_requests"
    ]
