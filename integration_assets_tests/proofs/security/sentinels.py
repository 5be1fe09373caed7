"""Secrets are planted, every flow is driven, failures included, and then every surface is searched for them.

Surfaces: output of commands, log lines, exception texts, all files of the home (Dagster's storage, stores with ledger
and plans, published databases, the registry), Slack messages, what was sent to the CRM, pages and API answers. Each is
searched raw, URL-encoded, as base64 at each of its three places, in hexadecimal, JSON-escaped, and backwards.
"""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote_plus

from integration_assets.connectors.redaction import protect
from integration_assets.errors import IntegrationError
from integration_assets.sandbox.lookalike import Fault
from integration_assets.tenants.registry.database import Registry, open_registry
from integration_assets.tenants.registry.master import generate
from integration_assets.tenants.settings import settings_for
from integration_assets.web.site import Site
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import INTERNAL, THIRD, installation_settings, made
from integration_assets_tests.support.collected_log import collected
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.registries import tenant_id
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import Client, served

LOGIN = "ann@acme.example"
MARK = "Sentinel/{}+7f3a9c-=&é".replace("é", "")
"""With characters that every encoding spells differently."""
MAPPINGS = {"row_id": "id", "domain": "customer.websites[0]", "arr": "subscription.arr"}


@proof("sentinels", "security", "No planted secret shows on any surface, after every flow and failure.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count the secrets that were found on no surface, and the surfaces that were clean."""
    with folder() as home, installation(home, "acme") as made_:
        surfaces: dict[str, bytes] = {}
        secrets = _drive(made_, surfaces)
        for file in sorted(home.rglob("*")):
            if file.is_file():
                surfaces[f"file {file.relative_to(home)}"] = file.read_bytes()
    found = {(name, surface) for surface, content in surfaces.items() for name in _seen(secrets, content)}
    lost = {name for name, _ in found}
    yield counted("planted secrets found on no surface", len(secrets) - len(lost), len(secrets))
    dirty = {surface for _, surface in found}
    yield counted(
        f"surfaces clean of {len(secrets)} secrets in every spelling", len(surfaces) - len(dirty), len(surfaces)
    )


def _seen(secrets: dict[str, bytes], content: bytes) -> Iterator[str]:
    for name, secret in secrets.items():
        if any(form in content for form in spellings(secret)):
            yield name


def spellings(secret: bytes) -> set[bytes]:
    """All the ways in which a secret is searched for."""
    text = secret.decode("latin-1")
    forms = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), quote_plus(secret).encode()}
    forms.add(json.dumps(text)[1:-1].encode())
    for shift in range(3):  # base64 of a text that holds the secret depends on where in it the secret begins
        whole = base64.b64encode(b"\0" * shift + secret)
        inner = whole[(0, 4, 4)[shift] : len(whole) - 4]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in forms if len(form) >= 12}


def _planted(name: str) -> str:
    return MARK.format(name)


def _drive(installed: Installation, surfaces: dict[str, bytes]) -> dict[str, bytes]:
    """Every flow with planted secrets; what was said goes into `surfaces`."""
    world = installed.worlds["acme"]
    billing = world.sandbox.billing
    planted = {name: _planted(name) for name in ("canny", "sandbox", "production", "slack")}
    world.canny.api_key, world.sandbox.team.token = planted["canny"], planted["slack"]
    world.sandbox.sandbox.portal.token = planted["sandbox"]
    world.sandbox.production.portal.token = planted["production"]
    billing.password, billing.key = _planted("password"), _planted("header")
    billing.bearer_token, billing.client_secret = _planted("bearer"), _planted("client")
    billing.accounts = billing.accounts[:3]
    login_password = _planted("login")
    hosts = world.addresses.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"]
    installed.key = generate()
    settings = installation_settings(installed.home, installed.key, allowed_hosts=hosts)
    said: list[str] = [installed.good("tenants", "add", "acme")]
    with ExitStack() as stack:
        surfaces_log = stack.enter_context(collected(logging.getLogger(), logging.INFO, logging.Formatter().format))
        protect()  # as the pages' own handler would write it
        registry = open_registry(settings)
        assert registry is not None
        stack.callback(registry.close)
        said.append(installed.good("tenants", "user", "add", LOGIN, "--tenant", "acme", stdin=login_password + "\n"))
        site = stack.enter_context(served(settings, registry))
        site.logins.limits["account"] = site.tests.limits["tenant"] = 1_000
        answers, session = _on_the_pages(site, world.addresses, billing, planted, login_password)
        said += _commands(installed, planted)
        said += _exceptions(registry, settings)
        answers += _look(site, session)
        data_key = _data_key(registry)
        log = "\n".join(surfaces_log)
    surfaces |= {
        "output of commands": "\n".join(said).encode(),
        "log": log.encode(),
        "pages and API": b"\n".join(answers),
        "Slack": json.dumps(world.sandbox.team.messages, default=str).encode(),
        "CRM": b"\n".join(_bodies(world.sandbox)),
    }
    internal = (billing.password, billing.key, billing.bearer_token, billing.client_secret)
    names = ("password", "header", "bearer", "client")
    texts = {**planted, **dict(zip(names, internal, strict=True)), "session": session, "login": login_password}
    return {
        **{name: text.encode() for name, text in texts.items()},
        "master key": base64.urlsafe_b64decode(installed.key + "=" * (-len(installed.key) % 4)),
        "data key": data_key,
    }


def _on_the_pages(
    site: Site, addresses: Any, billing: Any, planted: dict[str, str], password: str
) -> tuple[list[bytes], str]:
    """Add everything by API, test it, and be refused in many ways."""
    values, url = addresses.environment(), addresses.internal_base_url
    answers: list[bytes] = []
    with Client(site.origin) as ann:
        refused = ann.log_in(LOGIN, password + "x")
        assert refused.status_code == 401
        assert ann.log_in(LOGIN, password).status_code == 303
        session = ann.http.cookies["sid"]
        bodies: list[tuple[str, dict[str, Any]]] = [
            (THIRD, {"provider": "canny", "environment": "any", "base_url": values["CANNY_BASE_URL"]}),
            (THIRD, {"provider": "slack", "environment": "any", "base_url": values["SLACK_BASE_URL"]}),
        ]
        bodies[0][1]["secret"], bodies[1][1]["secret"] = planted["canny"], planted["slack"]
        bodies[1][1]["settings"] = {"channel": values["SLACK_CHANNEL"]}
        for environment in ("sandbox", "production"):
            base = values[f"HUBSPOT_{environment.upper()}_BASE_URL"]
            body = {"provider": "hubspot", "environment": environment, "base_url": base}
            bodies.append((THIRD, {**body, "secret": planted[environment]}))
        flows: dict[str, tuple[dict[str, str], str]] = {
            "basic": ({"username": billing.username}, billing.password),
            "header": ({"header_name": billing.key_header}, billing.key),
            "bearer": ({}, billing.bearer_token),
            "oauth2_client_credentials": (
                {"token_url": f"{url}/oauth/token", "client_id": billing.client_id},
                billing.client_secret,
            ),
        }
        for flow, (auth, secret) in flows.items():
            body = {"name": flow, "base_url": url, "auth_flow": flow, "auth": auth, "secret": secret}
            bodies.append((INTERNAL, {**body, "endpoints": [{"path": "/v1/all"}], "mappings": MAPPINGS}))
        for group, body in bodies:
            answers.append(ann.call("POST", group, {**body, "base_url": "ftp://x", "expires_at": "never"}).content)
            answers.append(ann.call("POST", group, {**body, "secret": body["secret"] + "\nx"}).content)
            answers.append(ann.call("POST", group, {**body, "no_such_field": body["secret"]}).content)
            answers.append(ann.call("POST", group, {**body, "enabled": body["secret"]}).content)
            record = made(ann, group, body)
            at = f"{group}/{record}"
            page = f"/settings/{'third-party' if group == THIRD else 'internal'}/{record}"
            tried = ann.call("POST", f"{at}/test")
            assert tried.json()["outcome"] == "ok", (body, tried.text)
            answers += [tried.content, ann.call("PATCH", at, {"base_url": "https://evil.example.com"}).content]
            answers += [ann.post(page, {"secret": body["secret"], "base_url": "x", "expires": "day"}).content]
            answers += [ann.post(f"{page}/rotate", {"secret": body["secret"], "expires": "day"}).content]
            answers += [ann.call("GET", at).content, ann.get(page).content]
        answers += [refused.content, ann.post("/no-such-path", {"secret": planted["canny"]}).content]
    return answers, session


def _look(site: Site, session: str) -> list[bytes]:
    """Every page there is, after the runs."""
    with Client(site.origin) as ann:
        ann.http.cookies.set("sid", session)
        paths = ["/requests", "/companies", "/unresolved", "/runs", "/settings/third-party", "/settings/internal"]
        paths += ["/audit-trail", "/account", "/api/openapi.json", "/api/session", "/api/audit-trail", THIRD, INTERNAL]
        answers = [ann.get(path) for path in paths]
        assert all(answer.status_code == 200 for answer in answers)
        return [answer.content for answer in answers]


def _commands(installed: Installation, planted: dict[str, str]) -> list[str]:
    """Runs that succeed and runs that fail in several ways."""
    said = []
    world = installed.worlds["acme"]
    for arguments in (
        ("setup", "--tenant", "acme", "--yes"),
        ("sync", "--tenant", "acme"),
        ("plan", "--tenant", "acme"),
        ("doctor", "--tenant", "acme"),
        ("report", "--tenant", "acme"),
        ("tenants", "show", "acme"),
        ("tenants", "audit", "acme"),
        ("keys", "status"),
    ):
        ran = installed.run(*arguments)
        assert ran.code == 0, (arguments, ran.out + ran.err)
        said += [ran.out, ran.err]
    portal = world.sandbox.sandbox.portal
    portal.token = "another one since, with 20 characters"
    ran = installed.run("sync", "--tenant", "acme")
    portal.token = planted["sandbox"]
    assert ran.code == 1
    said += [ran.out, ran.err]
    world.sandbox.canny.faults.append(Fault(matches=lambda _: True, times=None, close=True))
    with short_waits():
        ran = installed.run("sync", "--tenant", "acme")
    world.sandbox.canny.faults.clear()
    said += [ran.out, ran.err]
    for key in (installed.key[::-1], "short"):
        ran = installed.run("tenants", "list", INTEGRATION_ASSETS_KEY=key)
        assert ran.code == 2
        said += [ran.out, ran.err]
    return said


def _exceptions(registry: Registry, settings: Any) -> list[str]:
    """Texts and tracebacks of errors, and reprs of what holds secrets."""
    opened = settings_for(settings, "acme", "the measurement")
    said = [repr(opened), str(opened), repr(registry.keyring), repr(settings)]
    try:
        settings_for(settings.model_copy(update={"key": None}), "acme", "the measurement")
    except IntegrationError:
        said.append(traceback.format_exc())
    return said


def _data_key(registry: Registry) -> bytes:
    owner = tenant_id(registry, "acme")
    with registry.session() as session:
        return registry.keyring.active(session, owner).raw


def _bodies(sandbox: Any) -> Iterator[bytes]:
    """What was sent to the CRM and to Slack beside the header that authenticates.

    Left out is the question what a token may do, which HubSpot wants to have in the body: it is asked of its issuer.
    """
    for lookalike in (sandbox.hubspot_sandbox, sandbox.hubspot_production, sandbox.slack):
        for request in lookalike.requests:
            body = b"" if request.path.endswith("/get/access-token-info") else bytes(request.body)
            yield f"{request.path} {request.query}".encode() + body
