"""Votes that count for no company, and the form that maps a domain to one."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.mail_addresses import to_host
from integration_assets.reporting.insights import (
    read_company_names,
    read_unresolved_reasons,
    read_unresolved_votes,
    search_companies,
)
from integration_assets.resolution.domains import registrable_domain
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets.resolution.overrides import (
    Override,
    add_override,
    override_problem,
    read_overrides,
    remove_override,
)
from integration_assets.staging.store import make_private_directory
from integration_assets.tenants.settings import built_settings
from integration_assets.web.answers import redirect
from integration_assets.web.audit_notes import note
from integration_assets.web.form_values import typed
from integration_assets.web.pages_insights import REASONS
from integration_assets.web.problems import Problem
from integration_assets.web.published_pages import PAGE, Pages, page_number, published
from integration_assets.web.rendering import render
from integration_assets.web.request_context import Form, RequestContext

LABELS = {"match": "Domain, or one address", "company_id": "Id of the company in the CRM", "note": "Why"}
PATH = "/unresolved"
LONGEST_ID = 64
_COMPANY_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")
LONGEST_NOTE = 200
LONGEST_MATCH = 254
LONGEST_WORDS = 100
MOST_COMPANIES = 20
"""Companies that a search shows; how many more fit is told."""
_writing = threading.Lock()
"""The file is read, changed and replaced: one change at a time."""


def unresolved(context: RequestContext) -> Response:
    """The page."""
    asked = {"match": context.query("match")[:LONGEST_MATCH], "company_id": context.query("company_id")[:LONGEST_ID]}
    return _page(context, asked, {})


def add_mapping(context: RequestContext) -> Response:
    """Map a domain (or one address) to a company: the next run uses it."""
    form = context.form
    override = Override(form.text("match"), form.text("company_id"), form.text("note"))
    settings = _settings(context)
    errors = _problems(override, settings)
    # Checked before the file is opened: a bad line in it would end every run of the tenant.
    if errors:
        return _page(context, typed(form), errors, HTTPStatus.BAD_REQUEST)
    with _writing:
        make_private_directory(settings.overrides_path.parent)
        add_override(settings.overrides_path, override, **_mail(settings))
        note(context, "override.set", ["company_id", "match", "note"])
    return redirect(f"{PATH}?done=mapped")


def remove_mapping(context: RequestContext) -> Response:
    """Take a mapping away."""
    settings = _settings(context)
    with _writing:
        try:
            remove_override(settings.overrides_path, context.form.text("match"), **_mail(settings))
        except ConfigurationError:
            # Somebody else has removed it meanwhile: nothing is left to do.
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such mapping any more.") from None
        note(context, "override.remove", ["match"])
    return redirect(f"{PATH}?done=unmapped")


def _problems(override: Override, settings: Settings) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not override.match or len(override.match) > LONGEST_MATCH or not override.match.isprintable():
        errors["match"] = "enter a domain, such as example.com, or one address"
    if not _COMPANY_ID.fullmatch(override.company_id):
        errors["company_id"] = "enter the company's id in the CRM: letters, digits, - and _"
    if len(override.note) > LONGEST_NOTE or not override.note.isprintable():
        errors["note"] = f"must be one line of at most {LONGEST_NOTE} characters"
    # Only then: the rule reads the domain, which must be one for that.
    if not errors:
        domains = mail_domains(personal=settings.personal_domains, business=settings.business_domains)
        if problem := override_problem(override, domains):
            errors["match"] = problem
    return errors


def _page(
    context: RequestContext, values: Mapping[str, str], errors: Mapping[str, str], status: int = HTTPStatus.OK
) -> Response:
    number, settings = page_number(context), _settings(context)
    mappings: tuple[Override, ...] = ()
    problem = ""
    try:
        mappings = read_overrides(settings.overrides_path, **_mail(settings))
    except ConfigurationError as error:
        # The path of the file is the operator's business.
        problem = error.message.replace(str(settings.overrides_path), "the file of mappings")
    with published(context) as connection:
        lost = read_unresolved_votes(connection, limit=PAGE, skipped=PAGE * (number - 1)) if connection else []
        totals = read_unresolved_reasons(connection) if connection else []
        # Names of both lists by one query: a page of fifty lines must not ask a hundred times.
        wanted = {one for line in lost for one in line.candidate_company_ids} | {one.company_id for one in mappings}
        wanted |= {values.get("company_id", "")}
        names = read_company_names(connection, sorted(wanted)) if connection else {}
        words = _words(context, values)
        companies = search_companies(connection, words, limit=MOST_COMPANIES) if connection and words else []
    return render(
        context,
        "unresolved.html",
        status,
        lost=lost,
        totals=totals,
        pages=Pages(number, lost[0].found if lost else 0),
        mappings=mappings,
        problem=problem,
        names=names,
        words=words,
        companies=companies,
        chosen=values.get("company_id", ""),
        # In an address of ours a person's would stay in the browser's history.
        linked="" if "@" in values.get("match", "") else values.get("match", ""),
        reasons=REASONS,
        values=Form(dict(values)),
        errors=errors,
        labels=LABELS,
    )


def _words(context: RequestContext, values: Mapping[str, str]) -> str:
    """Words to look for a company by: those that were typed, else the domain without what is behind its name."""
    typed_words = context.query("company").strip()[:LONGEST_WORDS]
    # One is chosen already: a list of others beside it would only be in the way.
    if typed_words or values.get("company_id"):
        return typed_words
    host = to_host(values.get("match", "").rpartition("@")[2])
    registrable = registrable_domain(host) if host else None
    return registrable.partition(".")[0] if registrable else ""


def _settings(context: RequestContext) -> Settings:
    """The tenant's own choices, without any credential."""
    if context.is_local:
        return context.settings
    return built_settings(context.settings, context.own, {})


def _mail(settings: Settings) -> dict[str, Any]:
    return {"personal_domains": settings.personal_domains, "business_domains": settings.business_domains}
