"""The metadata that makes our object, its links and their permission set in an org, as a zip file. Pure.

The form is that of the Metadata API, which takes the file as it is, as `sf project deploy start --metadata-dir` does.
Source: Metadata API Developer Guide, "CustomObject", "CustomField" and "PermissionSet".
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from xml.sax.saxutils import escape  # nosec B406  # it writes, and parses nothing

import msgspec

from integration_assets.connectors.crm.salesforce import names
from integration_assets.connectors.crm.salesforce.endpoints import VERSION
from integration_assets.connectors.crm.salesforce.field_types import FIELD_TYPES, MOST_TEXT
from integration_assets.connectors.crm.salesforce.spec import PERMISSION_SET_LICENSE
from integration_assets.models import ObjectDefinition, PropertyDefinition, PropertyGroup, PropertyKind

_NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_LONG_TEXT_LINES = 10
LICENSE = "Salesforce API Integration"
"""A user with the licence "Salesforce Integration" gets rights only by permission sets under this one."""
READ_FIELDS = ("Account.ParentId", "Account.Type", "Account.Website", "Contact.Email", "Opportunity.Amount")
"""Standard fields that are read and can be hidden from a user; required ones may not stand in a permission set."""
READ_OBJECTS = (names.ACCOUNT, names.CONTACT, names.OPPORTUNITY)
_ANY_TIME = (2024, 1, 1, 0, 0, 0)
"""Time of every file: the same metadata makes the same bytes."""

Element = tuple[str, "str | Sequence[Element]"]
Files = dict[str, str]
Members = dict[str, list[str]]
"""Components that the manifest names, by their type."""


class Parts(msgspec.Struct, frozen=True):
    """Parts of the definition to deploy: whole objects, or fields of one that exists.

    `properties` are names of those to make; `link_object` brings the links along.
    """

    new_object: bool
    properties: frozenset[str]
    link_object: bool


def everything(definition: ObjectDefinition) -> Parts:
    """All of the definition, for an org that has nothing of it."""
    return Parts(True, frozenset(item.name for item in definition.properties), True)


def package(definition: ObjectDefinition, parts: Parts | None = None, *, license_name: str | None = None) -> bytes:
    """The zip file, of everything unless `parts` says less. The permission set is always whole.

    `license_name` ties the permission set to a permission-set licence.
    """
    return _package(_request_parts(definition, parts or everything(definition), license_name))


def company_package(
    group: PropertyGroup, properties: Sequence[PropertyDefinition], *, license_name: str | None = None
) -> bytes:
    """The zip file of fields of accounts, with the permission set for all of the group."""
    return _package(_company_parts(group, properties, license_name))


def _request_parts(definition: ObjectDefinition, parts: Parts, license_name: str | None) -> tuple[Files, Members]:
    ours, linked = names.custom_name(definition.name), names.link_object(definition)
    files: Files = {}
    members: Members = {"PermissionSet": [names.PERMISSION_SET]}
    fields = [_property(item) for item in definition.properties if item.name in parts.properties]
    if parts.new_object:
        files[f"objects/{ours}.object"] = _custom_object(definition.singular, definition.plural, ("Text", None), fields)
        members.setdefault("CustomObject", []).append(ours)
    elif fields:
        files[f"objects/{ours}.object"] = _document("CustomObject", fields)
        chosen = [names.custom_name(item.name) for item in definition.properties if item.name in parts.properties]
        members["CustomField"] = [f"{ours}.{name}" for name in chosen]
    if parts.link_object:
        files[f"objects/{linked}.object"] = _custom_object(
            f"{definition.singular} link",
            f"{definition.singular} links",
            ("AutoNumber", "L-{0000000}"),
            _links(definition),
        )
        members.setdefault("CustomObject", []).append(linked)
    permission_set = _permission_set(definition, license_name)
    files[f"permissionsets/{names.PERMISSION_SET}.permissionset"] = permission_set
    return files, members


def _company_parts(
    group: PropertyGroup, properties: Sequence[PropertyDefinition], license_name: str | None
) -> tuple[Files, Members]:
    fields = [names.custom_name(item.name) for item in properties]
    members: Members = {
        "CustomField": [f"{names.ACCOUNT}.{name}" for name in fields],
        "PermissionSet": [names.COMPANY_PERMISSION_SET],
    }
    return {
        f"objects/{names.ACCOUNT}.object": _document("CustomObject", [_property(item) for item in properties]),
        f"permissionsets/{names.COMPANY_PERMISSION_SET}.permissionset": _company_permission_set(group, license_name),
    }, members


def _package(*packages: tuple[Files, Members]) -> bytes:
    """One zip file of several packages, no two of which hold the same component."""
    files: Files = {}
    members: Members = {}
    for own_files, own_members in packages:
        files |= own_files
        for kind, listed in own_members.items():
            members.setdefault(kind, []).extend(listed)
    return _zip({"package.xml": _manifest(members), **files})


def file_of(definition: ObjectDefinition, options: Mapping[str, str], companies: PropertyGroup | None) -> bytes:
    """The zip file of everything, for an administrator to deploy.

    `options` are the settings of the spec, by name; `companies` are properties on accounts, where they are asked for.
    """
    license_name = options.get(PERMISSION_SET_LICENSE) or None
    packages = [_request_parts(definition, everything(definition), license_name)]
    if companies is not None:
        packages.append(_company_parts(companies, companies.properties, license_name))
    return _package(*packages)


def granted_fields(definition: ObjectDefinition) -> tuple[str, ...]:
    """Fields, as `Object.Field`, that the permission set makes visible: all of ours, as none of them is required."""
    ours, linked = names.custom_name(definition.name), names.link_object(definition)
    own = [f"{ours}.{names.custom_name(item.name)}" for item in definition.properties]
    of_links = [names.request_lookup(definition), *names.LOOKUPS.values(), names.LINK_KIND, names.LINK_KEY]
    return (*own, *(f"{linked}.{name}" for name in of_links))


# -------------------------------------------------------------------------------------------------------------- fields


def _property(item: PropertyDefinition) -> Element:
    kind = FIELD_TYPES[item.kind]
    parts: list[Element] = [
        ("fullName", names.custom_name(item.name)),
        ("label", item.label),
        ("description", item.description),
        ("type", kind.metadata),
    ]
    parts += [
        (name, str(value))
        for name, value in (("length", kind.length), ("precision", kind.precision), ("scale", kind.scale))
        if value is not None
    ]
    if item.kind is PropertyKind.LONG_TEXT:
        parts.append(("visibleLines", str(_LONG_TEXT_LINES)))
    if item.unique:
        # Case sensitive: two keys that differ in case are two requests.
        parts += [("unique", "true"), ("externalId", "true"), ("caseSensitive", "true")]
    if item.kind is PropertyKind.OPTION:
        parts.append(_values(item.options))
    return "fields", parts


def _values(options: Iterable[tuple[str, str]]) -> Element:
    values: list[Element] = [
        ("value", [("fullName", value), ("default", "false"), ("label", label)]) for value, label in options
    ]
    return "valueSet", [("restricted", "true"), ("valueSetDefinition", [("sorted", "false"), *values])]


def _links(definition: ObjectDefinition) -> list[Element]:
    """Fields of a link: its unique text, its label, and lookups to both ends.

    Lookups and no master-detail: those would be required of every link, have no sharing of their own, and could not
    stand in the permission set.
    """
    labels = {link.name: link.label for link in definition.links}
    ours, plural, shown = names.custom_name(definition.name), _words(definition.plural), f"{definition.singular} links"
    return [
        (
            "fields",
            [
                ("fullName", names.LINK_KEY),
                ("label", "Link key"),
                ("description", "Identity of the link. Do not change."),
                ("type", "Text"),
                ("length", str(MOST_TEXT)),
                ("unique", "true"),
                ("externalId", "true"),
                ("caseSensitive", "true"),
            ],
        ),
        (
            "fields",
            [
                ("fullName", names.LINK_KIND),
                ("label", "Kind"),
                ("description", "How the two belong together."),
                ("type", "Picklist"),
                _values(labels.items()),
            ],
        ),
        _lookup(names.request_lookup(definition), definition.singular, ours, ("Links", shown)),
        _lookup(names.LOOKUPS["company"], "Company", names.ACCOUNT, (f"{plural}_Company", shown)),
        _lookup(names.LOOKUPS["contact"], "Contact", names.CONTACT, (f"{plural}_Contact", shown)),
    ]


def _lookup(name: str, label: str, target: str, relationship: tuple[str, str]) -> Element:
    """A reference field; `relationship` are name and label of the list of links on a record of `target`."""
    return (
        "fields",
        [
            ("fullName", name),
            ("label", label),
            ("type", "Lookup"),
            ("referenceTo", target),
            ("relationshipName", relationship[0]),
            ("relationshipLabel", relationship[1]),
            ("deleteConstraint", "SetNull"),
        ],
    )


def _words(text: str) -> str:
    return "_".join(text.split())


# ------------------------------------------------------------------------------------------------------------- objects


def _custom_object(label: str, plural: str, name: tuple[str, str | None], fields: Sequence[Element]) -> str:
    kind, shown = name
    name_field: list[Element] = [("label", label if kind == "Text" else "Number"), ("type", kind)]
    if shown is not None:
        name_field.append(("displayFormat", shown))
    head: list[Element] = [
        ("label", label),
        ("pluralLabel", plural),
        ("nameField", name_field),
        ("deploymentStatus", "Deployed"),
        ("sharingModel", "ReadWrite"),
        ("enableReports", "true"),
        ("enableSearch", "true"),
    ]
    return _document("CustomObject", [*head, *fields])


def _permission_set(definition: ObjectDefinition, license_name: str | None) -> str:
    ours, linked = names.custom_name(definition.name), names.link_object(definition)
    described = f"What the sync of {definition.plural.lower()} reads and writes."
    parts = _permission_head(names.PERMISSION_SET, described, license_name)
    parts += [_field_permission(name, editable=True) for name in granted_fields(definition)]
    parts += [_field_permission(name, editable=False) for name in READ_FIELDS]
    # Of requests none is ever deleted; a link is deleted when it is taken off.
    parts += [_object_permission(name, create=False, edit=False, delete=False) for name in READ_OBJECTS]
    parts += [
        _object_permission(ours, create=True, edit=True, delete=False),
        _object_permission(linked, create=True, edit=True, delete=True),
    ]
    return _document("PermissionSet", parts)


def _company_permission_set(group: PropertyGroup, license_name: str | None) -> str:
    described = f"Fields of accounts that the sync writes: {group.label}."
    parts = _permission_head(names.COMPANY_PERMISSION_SET, described, license_name)
    fields = [f"{names.ACCOUNT}.{names.custom_name(item.name)}" for item in group.properties]
    parts += [_field_permission(name, editable=True) for name in fields]
    # A field can be changed by whoever may change its object; no account is ever made or deleted.
    parts.append(_object_permission(names.ACCOUNT, create=False, edit=True, delete=False))
    return _document("PermissionSet", parts)


def _permission_head(name: str, described: str, license_name: str | None) -> list[Element]:
    parts: list[Element] = [
        ("label", name.replace("_", " ")),
        ("description", described),
        ("hasActivationRequired", "false"),
    ]
    return [*parts, ("license", license_name)] if license_name else parts


def _field_permission(name: str, *, editable: bool) -> Element:
    return "fieldPermissions", [("editable", _flag(editable)), ("field", name), ("readable", "true")]


def _object_permission(name: str, *, create: bool, edit: bool, delete: bool) -> Element:
    return (
        "objectPermissions",
        [
            ("allowCreate", _flag(create)),
            ("allowDelete", _flag(delete)),
            ("allowEdit", _flag(edit)),
            ("allowRead", "true"),
            ("modifyAllRecords", "false"),
            ("object", name),
            # Records of every owner: what is not seen would look like what is not there.
            ("viewAllRecords", "true"),
        ],
    )


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _manifest(members: Mapping[str, Collection[str]]) -> str:
    types: list[Element] = [
        ("types", [*(("members", one) for one in sorted(listed)), ("name", kind)])
        for kind, listed in sorted(members.items())
    ]
    return _document("Package", [*types, ("version", VERSION)])


# ----------------------------------------------------------------------------------------------------------------- XML


def _document(root: str, parts: Sequence[Element]) -> str:
    body = "".join(_element(part, 1) for part in parts)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">\n{body}</{root}>\n'


def _element(element: Element, depth: int) -> str:
    name, content = element
    indent = "    " * depth
    if isinstance(content, str):
        return f"{indent}<{name}>{escape(content)}</{name}>\n"
    inner = "".join(_element(part, depth + 1) for part in content)
    return f"{indent}<{name}>\n{inner}{indent}</{name}>\n"


def _zip(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ANY_TIME), text)
    return made.getvalue()
