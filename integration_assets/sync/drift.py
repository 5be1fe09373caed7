"""Schema drift: what we expect against what a portal has, and one environment against the other.

Everything is compared by name; ids of a portal never appear here. Only what the pipeline uses is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum

import msgspec

from integration_assets.models import (
    LinkDefinition,
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    PropertyDefinition,
)
from integration_assets.sync.feature_request_object import ALWAYS_WRITTEN


class Severity(StrEnum):
    """Errors close the gate, warnings do not."""

    ERROR = "ERROR"
    WARN = "WARN"


class Drift(msgspec.Struct, frozen=True):
    """One difference. `name` is the object, property (`object.property`) or link it concerns."""

    name: str
    severity: Severity
    detail: str


def target_problems(
    expected: ObjectDefinition,
    live: LiveSchema,
    *,
    link_contacts: bool,
    company_properties: Collection[str] = (),
    most_companies: int = 0,
    most_contacts: int = 0,
) -> list[Drift]:
    """What stands between `live`, the portal to be written to, and `expected`.

    Args:
        expected: our object as declared.
        live: the schema of the portal, read fresh.
        link_contacts: whether contact links are written, and so needed.
        company_properties: company properties that are mapped and must exist.
        most_companies: companies of the request with most of them, to be compared with the portal's limit.
        most_contacts: the same for contacts.
    """
    drifts = list(_company_property_problems(company_properties, live))
    if live.object_archived and not live.object_present:
        return [_error(expected.name, "the object is archived; restore it in the CRM"), *drifts]
    if not live.object_present:
        return [_error(expected.name, "the object is missing; run `setup`"), *drifts]
    have = {prop.name: prop for prop in live.properties}
    for wanted in expected.properties:
        name = f"{expected.name}.{wanted.name}"
        drifts.extend(_error(name, detail) for detail in _property_details(wanted, have.get(wanted.name)))
    drifts.extend(_rules_that_would_reject(expected, live))
    most = {"company": most_companies, "contact": most_contacts}
    for link in _used_links(expected, link_contacts=link_contacts):
        drifts.extend(_link_problems(link, live_link(live, link), most[link.target]))
    return drifts


def environments_differ(
    target: LiveSchema,
    other: LiveSchema | None,
    *,
    expected: ObjectDefinition,
    link_contacts: bool,
    production: bool,
    company_properties: Collection[str] = (),
    why_unreadable: str = "it is not configured",
) -> list[Drift]:
    """What sandbox and production do not have in common, as seen from the environment to be written to.

    With `production` as the target a difference is an error (what was tried is not what will be written to), otherwise
    a warning. `other` is None when the other environment could not be read: a warning that says why.
    """
    if other is None:
        return [
            Drift(expected.name, Severity.WARN, f"the other environment cannot be compared with: {why_unreadable}"),
        ]
    severity = Severity.ERROR if production else Severity.WARN
    here, there = ("production", "sandbox") if production else ("sandbox", "production")
    ours = _features(target, expected, company_properties, link_contacts=link_contacts)
    theirs = _features(other, expected, company_properties, link_contacts=link_contacts)
    return [
        Drift(name, severity, f"{here}: {ours[name]}; {there}: {theirs[name]}")
        for name in ours
        if ours[name] != theirs[name] and (name == expected.name or _both_present(target, other, name, expected))
    ]


def _both_present(target: LiveSchema, other: LiveSchema, name: str, expected: ObjectDefinition) -> bool:
    # a missing object is one finding, not one for each of its properties
    belongs = name.startswith((f"{expected.name}.", "link "))
    return not belongs or (target.object_present and other.object_present)


def _error(name: str, detail: str) -> Drift:
    return Drift(name, Severity.ERROR, detail)


def _company_property_problems(names: Collection[str], live: LiveSchema) -> Iterator[Drift]:
    have = {prop.name for prop in live.company_properties if not prop.archived}
    for name in sorted(set(names) - have):
        yield _error(f"company.{name}", "the mapped company property is missing")


def _property_details(wanted: PropertyDefinition, live: LiveProperty | None) -> Iterator[str]:
    if live is None:
        yield "the property is missing; run `setup`"
        return
    if live.archived:
        yield "the property is archived; restore it in the CRM"
        return
    if live.type != wanted.type:
        yield f"type is {live.type}, expected {wanted.type}"
    if live.field_type != wanted.field_type:
        yield f"field type is {live.field_type}, expected {wanted.field_type}"
    if wanted.unique and not live.unique:
        yield "values are no longer unique, so that records could be duplicated"
    if not live.writable:
        yield "the property is read-only"
    missing = _missing_options(wanted, live)
    if missing:
        yield f"options missing: {', '.join(missing)}"


def _missing_options(wanted: PropertyDefinition, live: LiveProperty) -> list[str]:
    if live.options is None:  # kept outside the portal: the list cannot be judged
        return []
    return [value for value, _ in wanted.options if value not in live.options]


def _rules_that_would_reject(expected: ObjectDefinition, live: LiveSchema) -> Iterator[Drift]:
    for prop in live.properties:
        if prop.required and not prop.archived and prop.name not in ALWAYS_WRITTEN:
            yield _error(
                f"{expected.name}.{prop.name}", "the portal requires a value that not every record of ours has"
            )


def _used_links(expected: ObjectDefinition, *, link_contacts: bool) -> list[LinkDefinition]:
    return [link for link in expected.links if link_contacts or link.target != "contact"]


def live_link(live: LiveSchema, link: LinkDefinition) -> LiveLink | None:
    """The live definition of `link`: by name, or by label where the portal has yet to show the name."""
    candidates = [have for have in live.links if have.target == link.target]
    by_name = [have for have in candidates if have.name == link.name]
    by_label = [have for have in candidates if have.name is None and have.label == link.label]
    return next(iter(by_name + by_label), None)


def _link_problems(link: LinkDefinition, live: LiveLink | None, most: int) -> Iterator[Drift]:
    name = _link_name(link)
    if live is None:
        yield _error(name, "the link label is missing; run `setup`")
        return
    if live.label != link.label:  # a label is known by its name: its text is for people, who may change it
        yield Drift(name, Severity.WARN, f"its text is {live.label!r} in the portal, {link.label!r} when it was made")
    if live.limit is not None and live.limit < most:
        yield Drift(
            name,
            Severity.WARN,
            f"a record may have {live.limit:,} links, one request needs {most:,}: what does not fit is rejected",
        )


def _link_name(link: LinkDefinition) -> str:
    return f"link {link.name} ({link.target})"


def _features(
    schema: LiveSchema, expected: ObjectDefinition, company_properties: Collection[str], *, link_contacts: bool
) -> Mapping[str, str]:
    """What a portal has of what the pipeline uses, as comparable text by name."""
    have = {prop.name: prop for prop in schema.properties}
    companies = {prop.name: prop for prop in schema.company_properties}
    features = {expected.name: "present" if schema.object_present else "missing"}
    for wanted in expected.properties:
        features[f"{expected.name}.{wanted.name}"] = _property_text(have.get(wanted.name), wanted)
    for link in _used_links(expected, link_contacts=link_contacts):
        features[_link_name(link)] = "missing" if live_link(schema, link) is None else "present"
    for name in company_properties:
        features[f"company.{name}"] = _property_text(companies.get(name), None)
    return features


def _property_text(prop: LiveProperty | None, wanted: PropertyDefinition | None) -> str:
    if prop is None or prop.archived:
        return "missing"
    words = [prop.type, prop.field_type]
    words += ["unique"] if prop.unique else []
    words += [] if prop.writable or wanted is None else ["read-only"]  # company properties are only read
    words += ["required"] if prop.required and wanted is not None else []
    missing = _missing_options(wanted, prop) if wanted is not None else []
    words += [f"without {', '.join(missing)}"] if missing else []
    return " ".join(words)
