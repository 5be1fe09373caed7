"""Metadata that is deployed: custom objects with their fields, and permission sets that make them visible."""

from __future__ import annotations

import email
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET  # nosec B405  # of what our own product sends

import msgspec

from integration_assets.sandbox.salesforce.errors import Json, refused
from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.org import PERMISSION_SET, Deployment, Grants, Org

NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
MOST_BYTES = 39 * 1024 * 1024
_TYPES = {
    "Text": "string",
    "LongTextArea": "textarea",
    "Number": "double",
    "Currency": "currency",
    "DateTime": "datetime",
    "Date": "date",
    "Picklist": "picklist",
    "Lookup": "reference",
    "Url": "url",
    "Checkbox": "boolean",
}


@dataclass
class _Change:
    """Changes that a deployment would make, and what is wrong with it."""

    apply: list[Callable[[], None]] = field(default_factory=list)
    failures: list[Json] = field(default_factory=list)
    objects: dict[str, set[str]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)

    def fail(self, kind: str, name: str, problem: str) -> None:
        self.failures.append(
            {
                "componentType": kind,
                "fullName": name,
                "fileName": "",
                "problem": problem,
                "problemType": "Error",
                "success": False,
                "created": False,
                "changed": False,
                "deleted": False,
            }
        )


def deploy(org: Org, content_type: str, raw: bytes) -> Deployment:
    """Take a deployment request, and carry it out unless it is only to be checked or something is wrong.

    Raises:
        ApiError: 400, the request is not of the documented form.
    """
    options, archive = _request(content_type, raw)
    change = _Change(objects={name: set(one.fields) for name, one in org.objects.items()})
    files = _files(archive)
    # Objects first: permission sets name their fields, and lookups name each other's objects.
    objects = {name[8:-7]: text for name, text in files.items() if name.startswith("objects/")}
    for name in objects:
        change.objects.setdefault(name, set())
    for name, text in objects.items():
        _object(org, name, text, change)
    for name, text in files.items():
        if name.startswith("permissionsets/"):
            _permission_set(org, name[15:-14], text, change)
    if "package.xml" not in files:
        change.fail("", "package.xml", "No package.xml found")
    check_only = bool(options.get("checkOnly", False))
    if not change.failures and not check_only:
        for one in change.apply:
            one()
    made = Deployment(org.new_id("0Af"), check_only, not change.failures, change.failures, len(change.apply))
    org.deployments[made.id] = made
    return made


def shown(one: Deployment, *, details: bool) -> Json:
    """The answer about a deployment."""
    result: Json = {
        "id": one.id,
        "checkOnly": one.check_only,
        "done": True,
        "status": "Succeeded" if one.success else "Failed",
        "success": one.success,
        "rollbackOnError": True,
        "numberComponentsTotal": one.components + len(one.failures),
        "numberComponentsDeployed": one.components if one.success else 0,
        "numberComponentErrors": len(one.failures),
    }
    if details:
        result["details"] = {"componentFailures": one.failures, "componentSuccesses": []}
    return {"id": one.id, "deployResult": result}


def _request(content_type: str, raw: bytes) -> tuple[Json, bytes]:
    message = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw)
    parts = {str(part.get_param("name", header="content-disposition")): part for part in message.walk()}
    parts.pop("None", None)  # the message that holds them
    if set(parts) != {"json", "file"}:
        raise refused(400, "INVALID_MULTIPART_REQUEST", "send the parts json and file")
    body: Any = msgspec.json.decode(parts["json"].get_payload(decode=True))  # type: ignore[arg-type]  # decoded, it is bytes
    archive = parts["file"].get_payload(decode=True)
    if not isinstance(archive, bytes) or len(archive) > MOST_BYTES or not zipfile.is_zipfile(io.BytesIO(archive)):
        raise refused(400, "INVALID_INPUT", "the file is no zip file, or too large")
    options = body.get("deployOptions")
    if not isinstance(options, dict) or not options.get("singlePackage"):
        raise refused(400, "INVALID_INPUT", "deployOptions with singlePackage are expected")
    return options, archive


def _files(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def _read(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # nosec B314  # what a test or our own product made


def _text(element: ET.Element, path: str) -> str | None:
    found = element.find("/".join(NAMESPACE + step for step in path.split("/")))
    return None if found is None else (found.text or "").strip()


def _all(element: ET.Element, path: str) -> list[ET.Element]:
    return element.findall("/".join(NAMESPACE + step for step in path.split("/")))


def _object(org: Org, name: str, text: str, change: _Change) -> None:
    root = _read(text)
    known = org.objects.get(name)
    label, plural = _text(root, "label"), _text(root, "pluralLabel")
    name_label, name_type = _text(root, "nameField/label"), _text(root, "nameField/type")
    if known is None and not name.endswith("__c"):
        change.fail("CustomObject", name, f"Entity of type 'CustomObject' named '{name}' cannot be found")
        return
    if known is None:
        if not (label and plural and name_label and name_type):
            change.fail("CustomObject", name, "Must specify a non-empty label for the CustomObject")
            return
        if not (_text(root, "deploymentStatus") and _text(root, "sharingModel")):
            change.fail("CustomObject", name, "Must specify deploymentStatus and sharingModel")
            return
        automatic = name_type == "AutoNumber"
        column = Field(
            "Name",
            "string",
            name_label,
            80,
            nillable=automatic,
            writable=not automatic,
            auto_number=automatic,
            defaulted=True,
        )
        change.apply.append(lambda: _add(org, name, str(label), str(plural), column))
    for element in _all(root, "fields"):
        made = _field(org, name, element, change)
        if made is not None:
            change.objects[name].add(made.name)
            change.apply.append(lambda made=made: _add_field(org, name, made))  # type: ignore[misc]  # bound by a default


def _add(org: Org, name: str, label: str, plural: str, column: Field) -> None:
    org.add_object(name, label, plural, column, visible=False)


def _add_field(org: Org, name: str, made: Field) -> None:
    one = org.objects[name]
    one.fields[made.name] = made
    for row in one.rows.values():
        row.setdefault(made.name, None)


def _field(org: Org, object_name: str, element: ET.Element, change: _Change) -> Field | None:
    name, kind, label = (_text(element, step) or "" for step in ("fullName", "type", "label"))
    whole = f"{object_name}.{name}"
    problem = _field_problem(org, object_name, name, kind, label, element, change)
    if problem is not None:
        change.fail("CustomField", whole, problem)
        return None
    required = _text(element, "required") == "true"
    if required:
        change.required.add(whole)
    target = _text(element, "referenceTo")
    known = org.objects[object_name].fields.get(name) if object_name in org.objects else None
    return Field(
        name=name,
        type=_TYPES[kind],
        label=label,
        length=int(_text(element, "length") or (255 if kind in ("Picklist", "Url") else 18 if target else 0)),
        precision=int(_text(element, "precision") or 0),
        scale=int(_text(element, "scale") or 0),
        nillable=not required,
        unique=_text(element, "unique") == "true",
        case_sensitive=_text(element, "caseSensitive") == "true",
        external_id=_text(element, "externalId") == "true",
        id_lookup=_text(element, "externalId") == "true",
        restricted=_text(element, "valueSet/restricted") == "true",
        options=tuple(
            (_text(value, "fullName") or "", _text(value, "label") or "")
            for value in _all(element, "valueSet/valueSetDefinition/value")
        ),
        reference_to=(target,) if target else (),
        relationship=f"{name[:-3]}__r" if target else None,
        # Required fields are visible to all who see the object; every other one only where it is granted.
        visible=required or (known is not None and known.visible),
        description=_text(element, "description") or "",
        help_text=_text(element, "inlineHelpText"),
    )


def _field_problem(
    org: Org, object_name: str, name: str, kind: str, label: str, element: ET.Element, change: _Change
) -> str | None:
    length = int(_text(element, "length") or 0)
    known = org.objects[object_name].fields.get(name) if object_name in org.objects else None
    if not name.endswith("__c") or len(name) > 43:
        return "Custom field API name is not valid"
    if not label or len(label) > 40:
        return "Field label is missing, or longer than 40 characters"
    if kind not in _TYPES:
        return f"'{kind}' is not a valid value for the enum 'FieldType'"
    if known is not None and known.type != _TYPES[kind]:
        return "Cannot change the type of an existing field"
    if kind == "Text" and not 1 <= length <= 255:
        return "Text fields have a length of 1 to 255"
    if kind == "LongTextArea" and not (256 <= length <= 131_072 and _text(element, "visibleLines")):
        return "Long text areas have a length of 256 to 131072, and visibleLines"
    if kind in ("Number", "Currency") and not _text(element, "precision"):
        return "Must specify 'precision' for a number"
    if kind == "Lookup" and _text(element, "referenceTo") not in change.objects:
        return f"referenceTo value of '{_text(element, 'referenceTo')}' does not resolve to a valid sObject type"
    if kind == "Lookup" and not _text(element, "relationshipName"):
        return "Must specify 'relationshipName' for a lookup"
    return None


def _permission_set(org: Org, name: str, text: str, change: _Change) -> None:
    root = _read(text)
    grants = Grants()
    if not _text(root, "label"):
        change.fail("PermissionSet", name, "Required field is missing: label")
    for element in _all(root, "fieldPermissions"):
        path = _text(element, "field") or ""
        object_name, _, column = path.partition(".")
        if column not in change.objects.get(object_name, ()):
            change.fail("PermissionSet", name, f"In field: field - no CustomField named {path} found")
        elif path in change.required:
            change.fail("PermissionSet", name, f"You cannot deploy to a required field: {path}")
        elif _text(element, "readable") == "true":
            grants.fields.add(path)
            if _text(element, "editable") == "true":
                grants.edited_fields.add(path)
    for element in _all(root, "objectPermissions"):
        object_name = _text(element, "object") or ""
        if object_name not in change.objects:
            change.fail("PermissionSet", name, f"In field: field - no CustomObject named {object_name} found")
        elif _text(element, "allowRead") == "true":
            grants.objects.add(object_name)
            if _text(element, "allowEdit") == "true":
                grants.edited_objects.add(object_name)
        elif _text(element, "allowEdit") == "true":
            change.fail("PermissionSet", name, f"Permission Edit {object_name} depends on permission(s): Read")
    change.apply.append(lambda: _grant(org, name, grants))


def _grant(org: Org, name: str, grants: Grants) -> None:
    one = org.objects[PERMISSION_SET]
    if all(row["Name"] != name for row in one.live()):
        org.add_row(one, {"Name": name})
    # What an earlier deployment granted stays.
    known = org.grants.setdefault(name, Grants())
    known.objects |= grants.objects
    known.fields |= grants.fields
    known.edited_objects |= grants.edited_objects
    known.edited_fields |= grants.edited_fields
