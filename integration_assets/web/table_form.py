"""The mapping of a table's columns as fields of a form: from the mapping, back to it, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from integration_assets.connectors.feedback.table.formats import why_no_date_format, why_no_money_format
from integration_assets.connectors.feedback.table.mapping import (
    NEEDED,
    RELATIONS,
    Dates,
    Fields,
    Money,
    Relation,
    TableMapping,
    why_no_time_zone,
)
from integration_assets.web.request_context import Form

PROVIDER = "table"
SETTING = "mapping"
PATH = "/settings/third-party/columns"
RELATION_LABELS: Mapping[str, str] = {
    "requests": "Requests",
    "votes": "Votes",
    "people": "People",
    "accounts": "Accounts",
    "status_changes": "Status changes",
    "companies": "Companies",
}
_FIELD_LABELS: Mapping[str, str] = {
    "url": "URL",
    "mrr": "MRR",
    "arr": "ARR",
    "email": "E-mail",
    "voter_email": "Voter e-mail",
    "author_email": "Author e-mail",
}
_FORMAT_LABELS: Mapping[str, str] = {
    "dates.format": "Dates are written",
    "dates.time_zone": "Time zone of dates",
    "money.format": "Amounts are written",
    "name": "Name of the mapping",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.toml")
_AS_DECLARED = ("type", "encoding", "delimiter", "select")
Headers = Mapping[str, Sequence[str]]
"""Columns of each file, by its name."""


def field_label(field: str) -> str:
    """Label of a field of a relation."""
    words = field.replace("_", " ")
    return _FIELD_LABELS.get(field, words[:1].upper() + words[1:])


def labels() -> dict[str, str]:
    """Label of every field of the form, as messages call it."""
    found = dict(_FORMAT_LABELS)
    for relation, fields in RELATIONS.items():
        found[f"file.{relation}"] = f"{RELATION_LABELS[relation]}: file"
        for field in fields.names:
            found[f"columns.{relation}.{field}"] = f"{RELATION_LABELS[relation]}: {field_label(field)}"
    return found


def values_of(mapping: TableMapping) -> dict[str, str]:
    """The fields that show a mapping."""
    values = {
        "dates.format": mapping.dates.format,
        "dates.time_zone": mapping.dates.time_zone,
        "money.format": mapping.money.format,
    }
    for name, relation in mapping.relations().items():
        values[f"file.{name}"] = relation.file or ""
        values |= {f"columns.{name}.{field}": column for field, column in relation.columns.items()}
    return values


def mapping_of(form: Form, kept: TableMapping) -> TableMapping:
    """The mapping that the form describes; `kept` has what no field shows: words of statuses, and ages."""
    relations = {name: Relation(file=form.text(f"file.{name}"), columns=_columns(form, name)) for name in _named(form)}
    formats = TableMapping(
        dates=Dates(format=form.text("dates.format"), time_zone=form.text("dates.time_zone")),
        money=Money(format=form.text("money.format")),
        freshness=kept.freshness,
        statuses=kept.statuses,
    )
    return msgspec.structs.replace(formats, **relations)


def why_not_shown(mapping: TableMapping, files: Sequence[str]) -> str | None:
    """Say what of a mapping the form could not show, and would lose; None where it shows all."""
    for name, relation in mapping.relations().items():
        # The type of what an address leads to is found out by asking it.
        declared = [
            one
            for one in _AS_DECLARED
            if getattr(relation, one) is not None and not (relation.is_web and one == "type")
        ]
        if declared or not (relation.is_web or relation.file in files):
            return (
                f"the {RELATION_LABELS[name].lower()} of the mapping are not one plain file of your folder or of an "
                "address: what is made here is a mapping of its own, the other one stays as it is"
            )
    return None


def problems_of(form: Form, headers: Headers, *, taken: Sequence[str]) -> dict[str, str]:
    """Everything that is wrong with the form, by field. `taken` are names of files that may not be written over."""
    errors: dict[str, str] = {}
    for name, fields in RELATIONS.items():
        errors |= _problems_of_relation(form, name, fields, headers)
    date_format = form.text("dates.format")
    if not date_format:
        errors["dates.format"] = (
            "the dates can be read in several ways, or in none that is known: say how they are written, such as "
            "%d/%m/%Y, %m/%d/%Y %H:%M or iso"
        )
    elif why := why_no_date_format(date_format):
        errors["dates.format"] = why
    if why := why_no_time_zone(form.text("dates.time_zone")):
        errors["dates.time_zone"] = why
    if why := why_no_money_format(form.text("money.format")):
        errors["money.format"] = why
    named = form.text("name")
    if not _NAME.fullmatch(named):
        errors["name"] = "must be the name of a file that ends in .toml: letters, digits, dots and hyphens"
    elif named in taken:
        errors["name"] = "there is a file of this name, which is not written over: choose another name"
    return errors


def _problems_of_relation(form: Form, name: str, fields: Fields, headers: Headers) -> dict[str, str]:
    errors: dict[str, str] = {}
    file, columns = form.text(f"file.{name}"), _columns(form, name)
    if not file:
        if name in NEEDED:
            errors[f"file.{name}"] = f"choose the file that holds the {RELATION_LABELS[name].lower()}"
        elif columns:
            errors[f"file.{name}"] = "choose the file of these columns, or leave them all out"
        return errors
    if file not in headers:
        return {f"file.{name}": "choose one of the files"}
    for field, column in columns.items():
        if (there := list(headers[file]).count(column)) != 1:
            said = f"{file} has two columns called {column}: which is meant cannot be told"
            errors[f"columns.{name}.{field}"] = said if there else f"{file} has no column called {column}"
    for field in fields.required:
        if field not in columns:
            errors[f"columns.{name}.{field}"] = "choose the column that holds it"
    if fields.one_of and not any(field in columns for field in fields.one_of):
        one_of = ", ".join(map(field_label, fields.one_of))
        errors[f"columns.{name}.{fields.one_of[0]}"] = f"one of {one_of} is needed: it says who voted"
    return errors


def _named(form: Form) -> list[str]:
    return [name for name in RELATIONS if form.text(f"file.{name}")]


def _columns(form: Form, relation: str) -> dict[str, str]:
    # As they are: a column may be called with blanks at its ends.
    typed = {field: form.raw(f"columns.{relation}.{field}") for field in RELATIONS[relation].names}
    return {field: column for field, column in typed.items() if column.strip()}


class RelationFields(msgspec.Struct, frozen=True):
    """One relation of the form: its files, its fields with their labels, and the columns that may be chosen."""

    name: str
    label: str
    needed: bool
    open: bool
    fields: tuple[tuple[str, str, bool], ...]
    columns: tuple[str, ...]


def relation_fields(values: Mapping[str, str], errors: Mapping[str, str], headers: Headers) -> list[RelationFields]:
    """The relations of the form, in their order; open where something is chosen, needed or wrong."""
    found = []
    for name, fields in RELATIONS.items():
        file = values.get(f"file.{name}", "")
        # Before a file is chosen, any column of any file may become one of it.
        every = headers[file] if file in headers else [column for header in headers.values() for column in header]
        found.append(
            RelationFields(
                name,
                RELATION_LABELS[name],
                name in NEEDED,
                bool(file) or name in NEEDED or any(f".{name}" in field for field in errors),
                tuple((field, field_label(field), field in fields.required) for field in fields.names),
                tuple(dict.fromkeys(column for column in every if column.strip())),
            )
        )
    return found
