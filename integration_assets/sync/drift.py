"""Schema drift: what we expect against what a portal has, and one environment against the other.

Everything is compared by name; ids of a portal never appear here. Only what the pipeline uses is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum

import msgspec

from integration_assets.examples import first_names
from integration_assets.models import (
    LinkDefinition,
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    PropertyDefinition,
    PropertyGroup,
    SchemaWords,
)
from integration_assets.sync.feature_request_object import ALWAYS_WRITTEN, EARLIER_TEXTS


class Severity(StrEnum):
    """Errors close the gate, warnings do not."""

    ERROR = "ERROR"
    WARN = "WARN"


LINK = "link "
"""Beginning of the name of a difference that is about a link."""
LINK_LABELS = f"{LINK}labels"
"""Name of a difference that is about the labels of all links."""
RUN_SETUP = "run `setup`"
"""The remedy for what is missing; what exists it does not change."""
ADD_BY_HAND = "add them in the CRM's settings, with exactly these internal values"
"""The remedy for options that are missing where neither `setup` nor the connector has a better one."""


RAISE_LIMIT = "raise the limit of this association in the CRM's settings"
"""The remedy for a link limit that is too low."""
MAP_AGAIN = "create it, or correct the setting that maps it"
"""The remedy for a mapped company property that is missing."""


class Drift(msgspec.Struct, frozen=True):
    """One difference. `name` is the object, property (`object.property`) or link it concerns; `remedy` mends it."""

    name: str
    severity: Severity
    detail: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.detail}{'; ' if self.remedy else ''}{self.remedy}"


def target_problems(
    expected: ObjectDefinition,
    live: LiveSchema,
    *,
    link_contacts: bool,
    company_properties: Collection[str] = (),
    most_companies: int = 0,
    most_contacts: int = 0,
    rollups: PropertyGroup | None = None,
) -> list[Drift]:
    """List what stands between `live`, the portal to be written to, and `expected`.

    Args:
        expected: our object as declared.
        live: the schema of the portal, read fresh.
        link_contacts: whether contact links are written, and so needed.
        company_properties: company properties that are mapped and must exist.
        most_companies: companies of the request with most of them, to be compared with the portal's limit.
        most_contacts: the same for contacts.
        rollups: our properties on companies, where they are kept.
    """
    drifts = [*_company_property_problems(company_properties, live), *_rollup_problems(rollups, live)]
    expected = with_needed(expected, live)
    if live.object_archived and not live.object_present:
        return [_error(expected.name, "the object is archived", "restore it in the CRM"), *drifts]
    obstacles = [_error(expected.name, one.detail, one.remedy) for one in live.obstacles]
    # `setup` is no remedy for an object that it cannot make.
    if not live.object_present and obstacles:
        return [*obstacles, *drifts]
    drifts = [*obstacles, *drifts]
    if not live.object_present:
        return [_error(expected.name, "the object is missing", RUN_SETUP), *drifts]
    if is_foreign(expected, live):
        named = first_names(live.other_properties)
        detail = f"an object of this name exists that is not ours: it has {named} and no {expected.key_property}"
        remedy = "delete that object in the CRM's settings if nobody needs it, or use another portal"
        # What it lacks of ours is no news of an object that is somebody else's.
        return [_error(expected.name, detail, remedy), *_in_the_way(expected, live), *drifts]
    have = {prop.name for prop in live.properties}
    # What `setup` refuses to touch comes before what it would add.
    drifts.extend(_in_the_way(expected, live))
    # an archived one is not missing: `setup` must not make it again, and `_in_the_way` has named it
    missing = (wanted.name for wanted in expected.properties if wanted.name not in have)
    drifts.extend(
        _error(f"{expected.name}.{name}", f"the {live.words.property} is missing", RUN_SETUP) for name in missing
    )
    drifts.extend(_error(expected.name, f"{what} is missing", RUN_SETUP) for what in live.lacking)
    drifts.extend(_text_problems(expected, live))
    most = {"company": most_companies, "contact": most_contacts}
    if live.unlabelled is not None:
        drifts.append(Drift(LINK_LABELS, Severity.WARN, live.unlabelled))
        targets = dict.fromkeys(link.target for link in _used_links(expected, link_contacts=link_contacts))
        for target in targets:
            limit = next((link.limit for link in live.links if link.target == target), None)
            drifts.extend(_limit_problems(f"{LINK}{target}", limit, most[target]))
        return drifts
    for link in _used_links(expected, link_contacts=link_contacts):
        drifts.extend(_link_problems(link, live, most[link.target]))
    return drifts


def with_needed(expected: ObjectDefinition, live: LiveSchema) -> ObjectDefinition:
    """Our object with what the connector needs of it beside the declared properties."""
    return msgspec.structs.replace(expected, properties=(*expected.properties, *live.needed_properties))


def is_foreign(expected: ObjectDefinition, live: LiveSchema) -> bool:
    """Tell whether the portal's object of our name is somebody else's: without our key or a property in our group.

    An object without any property of others is ours: `setup` was interrupted right after making it.
    """
    have = {prop.name: prop for prop in live.properties if not prop.archived}
    names = {prop.name for prop in expected.properties}
    key = have.get(expected.key_property)
    # either sign will do: the key may have lost its uniqueness, or been moved to another group
    marked = (key is not None and key.unique) or any(
        prop.group == expected.group and name in names for name, prop in have.items()
    )
    return live.object_present and not marked and bool(live.other_properties)


def _in_the_way(expected: ObjectDefinition, live: LiveSchema) -> Iterator[Drift]:
    """List what exists and is not as we need it: nobody but a person changes that."""
    have = {prop.name: prop for prop in live.properties}
    for wanted in expected.properties:
        if wanted.name in have:
            name = f"{expected.name}.{wanted.name}"
            yield from (
                Drift(name, severity, detail, remedy)
                for severity, detail, remedy in _property_problems(wanted, have[wanted.name], live.words)
            )
    yield from _rules_that_would_reject(expected, live)


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
    """List what sandbox and production do not have in common, as seen from the environment to be written to.

    With `production` as the target a difference is an error (what was tried is not what will be written to), otherwise
    a warning. `other` is None when the other environment could not be read: a warning that says why.
    """
    if other is None:
        return [
            Drift(
                expected.name,
                Severity.WARN,
                f"the other environment cannot be compared with: {why_unreadable}",
                "give it a token",
            ),
        ]
    worst = Severity.ERROR if production else Severity.WARN
    expected = with_needed(expected, target)
    writable_alike = _equally_writable(target, other, expected) | {f"company.{name}" for name in company_properties}
    environment, other_environment = ("production", "sandbox") if production else ("sandbox", "production")
    labelled = target.unlabelled is None and other.unlabelled is None
    ours, theirs = (
        _features(one, expected, company_properties, link_contacts=link_contacts, compare_labels=labelled)
        for one in (target, other)
    )
    in_labels = _labels_differ(target, other, environment, other_environment)
    return in_labels + [
        Drift(
            name,
            # Company properties are only read, each environment's by its own type.
            Severity.WARN if name in writable_alike and "missing" not in (ours[name], theirs[name]) else worst,
            f"{environment}: {ours[name]}; {other_environment}: {theirs[name]}",
            _how_to_agree(
                name,
                environment,
                other_environment,
                missing=ours[name] == "missing",
                missing_in_other=theirs[name] == "missing",
            ),
        )
        for name in ours
        if ours[name] != theirs[name] and (name == expected.name or _both_present(target, other, name, expected))
    ]


def _labels_differ(target: LiveSchema, other: LiveSchema, environment: str, other_environment: str) -> list[Drift]:
    """Warn where links carry labels in one environment alone: nothing can be done about it but to know of it."""
    if (target.unlabelled is None) == (other.unlabelled is None):
        return []
    without, having = (environment, other_environment) if target.unlabelled else (other_environment, environment)
    return [Drift(LINK_LABELS, Severity.WARN, f"links carry no labels in {without}, and labels in {having}")]


def _equally_writable(target: LiveSchema, other: LiveSchema, expected: ObjectDefinition) -> frozenset[str]:
    """Properties of ours that take the same values in both environments, however each draws the field."""
    spoilt = {
        drift.name
        for schema in (target, other)
        for drift in _in_the_way(expected, schema)
        if drift.severity is Severity.ERROR
    }
    names = {f"{expected.name}.{prop.name}" for prop in expected.properties}
    return frozenset(names - spoilt)


def _how_to_agree(name: str, environment: str, other_environment: str, *, missing: bool, missing_in_other: bool) -> str:
    """Say what makes two environments agree in one thing."""
    if not (missing or missing_in_other):
        return f"make it the same in the CRM's settings of {environment} and {other_environment}"
    where = environment if missing else other_environment
    return f"create it in {where}" if name.startswith("company.") else f"{RUN_SETUP} for {where}"


def _both_present(target: LiveSchema, other: LiveSchema, name: str, expected: ObjectDefinition) -> bool:
    # a missing object is one finding, not one for each of its properties
    belongs = name.startswith((f"{expected.name}.", LINK))
    return not belongs or (target.object_present and other.object_present)


def _error(name: str, detail: str, remedy: str) -> Drift:
    return Drift(name, Severity.ERROR, detail, remedy)


def _company_property_problems(names: Collection[str], live: LiveSchema) -> Iterator[Drift]:
    have = {prop.name for prop in live.company_properties if not prop.archived}
    for name in sorted(set(names) - have):
        yield _error(
            f"company.{name}",
            f"the mapped {live.words.company} {live.words.property} is missing",
            MAP_AGAIN,
        )


def _rollup_problems(group: PropertyGroup | None, live: LiveSchema) -> Iterator[Drift]:
    # nobody looked: the CRM has no place for them, which the run says, or the schema is of an earlier read
    if group is None or live.rollups is None:
        return
    have = {prop.name: prop for prop in live.rollups}
    for wanted in group.properties:
        name = f"company.{wanted.name}"
        if wanted.name not in have:
            yield _error(name, f"the {live.words.property} is missing", RUN_SETUP)
            continue
        if have[wanted.name].made_by_us is False:
            # Its values would be lost, and all that follows is about a property that is not ours.
            yield _error(
                name,
                f"a {live.words.property} of this name exists that `setup` did not make",
                "rename or delete it in the CRM's settings; if it is ours after all, give it its help text again: "
                f"{wanted.description!r}",
            )
            continue
        for severity, detail, remedy in _property_problems(wanted, have[wanted.name], live.words):
            yield Drift(name, severity, detail, remedy)


def _property_problems(
    wanted: PropertyDefinition, live: LiveProperty, own: SchemaWords
) -> Iterator[tuple[Severity, str, str]]:
    """Severity, what is different, and the remedy, of a property that exists."""
    # what else is different shows once it is restored: one finding says enough
    if live.archived:
        yield Severity.ERROR, f"the {own.property} is archived", "restore it in the CRM"
        return
    anew = "delete it for good in the CRM's settings, then run `setup`, which makes it anew"
    difference = live.difference
    if not live.writable:
        # A calculated property has the type of its formula as well: one finding says enough.
        words = " ".join(word for word in (live.type, live.field_type) if word)
        yield Severity.ERROR, f"the {own.property} is read-only or calculated ({words})", anew
    elif difference is not None:
        severity = Severity.WARN if difference.harmless else Severity.ERROR
        yield severity, difference.detail, difference.remedy or ("" if difference.harmless else anew)
    if wanted.unique and not live.unique:
        yield Severity.ERROR, "values are no longer unique, so that records could be duplicated", anew
    if live.unique and not wanted.unique:
        yield Severity.ERROR, "values must be unique, which two requests may not be", anew
    missing = missing_options(wanted, live)
    # a property of another type has no options at all: the type is the finding then
    if missing and (live.options or difference is None or difference.harmless):
        yield (
            Severity.ERROR,
            f"options missing: {', '.join(missing)}",
            RUN_SETUP if live.amendable else live.adding_options or ADD_BY_HAND,
        )


def _text_problems(expected: ObjectDefinition, live: LiveSchema) -> Iterator[Drift]:
    """Say in one warning which help texts are old: after an upgrade all may be, and would hide what else differs."""
    have = {prop.name: prop for prop in live.properties if not prop.archived}
    old = [one.name for one in expected.properties if one.name in have and text_is_replaced(one, have[one.name])]
    if old:
        named = first_names(old)
        whose = f"text of {named} is" if len(old) == 1 else f"texts of {len(old)} {live.words.properties} ({named}) are"
        yield Drift(expected.name, Severity.WARN, f"the help {whose} missing or of an earlier version", RUN_SETUP)


def text_is_replaced(wanted: PropertyDefinition, live: LiveProperty) -> bool:
    """Tell whether `setup` writes the help text of a property: it is empty, or an earlier version of ours wrote it."""
    text = live.description
    # What a person wrote stays, however old ours was that stood there before.
    is_ours = text == "" or text in EARLIER_TEXTS.get(wanted.name, ())
    return live.amendable and is_ours and text != wanted.description


def missing_options(wanted: PropertyDefinition, live: LiveProperty) -> list[str]:
    """Internal values of options that a property needs and lacks."""
    if live.options is None:  # kept outside the portal: the list cannot be judged
        return []
    return [value for value, _ in wanted.options if value not in live.options]


def _rules_that_would_reject(expected: ObjectDefinition, live: LiveSchema) -> Iterator[Drift]:
    for prop in live.properties:
        if prop.required and not prop.archived and prop.name not in ALWAYS_WRITTEN:
            yield _error(
                f"{expected.name}.{prop.name}",
                "the portal requires a value that not every record of ours has",
                "no longer require it in the CRM's settings",
            )


def _used_links(expected: ObjectDefinition, *, link_contacts: bool) -> list[LinkDefinition]:
    return [link for link in expected.links if link_contacts or link.target != "contact"]


def live_link(live: LiveSchema, link: LinkDefinition) -> LiveLink | None:
    """The live definition of `link`: by name, or by label where the portal has yet to show the name."""
    candidates = [have for have in live.links if have.target == link.target]
    # the name comes first: people may change the text, and give it to a label of their own
    by_name = [have for have in candidates if have.name == link.name]
    by_label = [have for have in candidates if have.name is None and have.label == link.label]
    return next(iter(by_name + by_label), None)


def _link_problems(link: LinkDefinition, schema: LiveSchema, most: int) -> Iterator[Drift]:
    name, live = _link_name(link), live_link(schema, link)
    foreign = next((one for one in schema.links if one.target == link.target and one.label == link.label), None)
    if live is None and foreign is not None:
        # The CRM refuses a second label of one text, however often it is asked.
        yield _error(
            name,
            f"the label {foreign.name!r}, which is not ours, has its text {link.label!r}",
            f"give {foreign.name!r} another text in the CRM's settings, then run `setup`",
        )
        return
    if live is None:
        yield _error(name, "the link label is missing", RUN_SETUP)
        return
    if live.label != link.label:  # a label is known by its name: its text is for people, who may change it
        yield Drift(name, Severity.WARN, f"its text is {live.label!r} in the portal, {link.label!r} when it was made")
    yield from _limit_problems(name, live.limit, most)


def _limit_problems(name: str, limit: int | None, most: int) -> Iterator[Drift]:
    if limit is not None and limit < most:
        yield Drift(
            name,
            Severity.WARN,
            f"a record may have {limit:,} links, one request needs {most:,}: what does not fit is rejected",
            RAISE_LIMIT,
        )


def _link_name(link: LinkDefinition) -> str:
    return f"{LINK}{link.name} ({link.target})"


def _features(
    schema: LiveSchema,
    expected: ObjectDefinition,
    company_properties: Collection[str],
    *,
    link_contacts: bool,
    compare_labels: bool,
) -> Mapping[str, str]:
    """Describe what a portal has of what the pipeline uses, as comparable text by name."""
    have = {prop.name: prop for prop in schema.properties}
    companies = {prop.name: prop for prop in schema.company_properties}
    features = {expected.name: "present" if schema.object_present else "missing"}
    for wanted in expected.properties:
        features[f"{expected.name}.{wanted.name}"] = _property_text(have.get(wanted.name), wanted)
    # Where there are no labels at all, that is one difference, told apart.
    labelled = _used_links(expected, link_contacts=link_contacts) if compare_labels else []
    for link in labelled:
        features[_link_name(link)] = "missing" if live_link(schema, link) is None else "present"
    for name in company_properties:
        features[f"company.{name}"] = _property_text(companies.get(name), None)
    return features


def _property_text(prop: LiveProperty | None, wanted: PropertyDefinition | None) -> str:
    if prop is None or prop.archived:
        return "missing"
    words = [word for word in (prop.type, prop.field_type) if word]
    words += ["unique"] if prop.unique else []
    words += [] if prop.writable or wanted is None else ["read-only"]  # company properties are only read
    words += ["required"] if prop.required and wanted is not None else []
    missing = missing_options(wanted, prop) if wanted is not None else []
    words += [f"without {', '.join(missing)}"] if missing else []
    return " ".join(words)
