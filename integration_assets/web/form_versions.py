"""Versions of what a form shows: two admins who change one integration at once do not undo each other unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from integration_assets.tenants.registry.views import SecretView
from integration_assets.web.form_values import typed
from integration_assets.web.problems import Problem
from integration_assets.web.request_context import Form

FIELD = "version"
LABEL = {FIELD: "This form"}
_DIGITS = 16


def version_of(values: Mapping[str, str], secret: SecretView | None = None) -> str:
    """Digest of what a form shows, and of when the secret was set; tests of a connection and switches leave it."""
    shown = (sorted(values.items()), secret.set_at if secret is not None else None)
    return hashlib.sha256(msgspec.json.encode(shown)).hexdigest()[:_DIGITS]


def check_version(form: Form, values: Mapping[str, str], secret: SecretView, labels: Mapping[str, str]) -> None:
    """Refuse a form whose values or secret somebody has changed since it was opened.

    Raises:
        Problem: they have; names the fields that are stored otherwise than typed. `values` are the stored ones.
    """
    if is_outdated(form, version_of(values, secret)):
        raise outdated(form, values, labels)


def is_outdated(form: Form, stored: str) -> bool:
    """True if a form shows another version than the stored one."""
    # A program that sends a form has none, and changes what it names.
    return form.text(FIELD) not in ("", stored)


def outdated(form: Form, values: Mapping[str, str], labels: Mapping[str, str]) -> Problem:
    """Say that somebody has saved over a form, with the fields that are stored otherwise than typed."""
    given = typed(form)
    # Of the other fields a form sends what they are without a value, which is no difference.
    compared = (name for name in given if name in values or name.startswith("settings."))
    others = [labels.get(name, name) for name in compared if values.get(name, "") != given[name].strip()]
    different = f"; stored otherwise than you typed: {', '.join(others)}" if others else ""
    said = f"somebody has saved another version since you opened this page{different}. Save again to replace it"
    return Problem(HTTPStatus.CONFLICT, "the form is out of date", {FIELD: said})


def shown_version(form: Form, values: Mapping[str, str], secret: SecretView | None, errors: Mapping[str, str]) -> str:
    """The version that a form goes on with: the one it was opened with, until a change by somebody else was told."""
    return (form.text(FIELD) if FIELD not in errors else "") or version_of(values, secret)
