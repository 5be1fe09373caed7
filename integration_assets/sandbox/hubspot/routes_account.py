"""Who the portal is, and what a token may do."""

from __future__ import annotations

from datetime import datetime, timedelta

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, required_text
from integration_assets.sandbox.hubspot.errors import not_found
from integration_assets.sandbox.hubspot.values import iso


def details(call: Call) -> Reply:
    """Identity of the account."""
    portal = call.portal
    offset = datetime.fromtimestamp(portal.clock(), portal.time_zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    body = {
        "portalId": portal.portal_id,
        "accountType": portal.account_type,
        "timeZone": portal.time_zone.key,
        "companyCurrency": portal.currency,
        "additionalCurrencies": [],
        "utcOffset": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
        "utcOffsetMilliseconds": minutes * 60_000,
        "uiDomain": portal.options.ui_domain,
        "dataHostingLocation": "na1",
        "portalName": f"Portal {portal.portal_id}",
    }
    return Reply(200, body)


def token_info(call: Call) -> Reply:
    """Scopes of the token named in the body."""
    portal = call.portal
    if required_text(call.fields, "tokenKey") != portal.token:
        raise not_found("No such token")
    body = {
        "userId": portal.portal_id % 1_000_000 + 1,
        "hubId": portal.portal_id,
        "appId": portal.portal_id % 100_000 + 2,
        "scopes": sorted({"oauth", *portal.scopes}),
    }
    return Reply(200, body)


def daily_usage(call: Call) -> Reply:
    """Usage of legacy private apps; calls of service keys are not in it."""
    now = call.portal.clock()
    midnight = datetime.fromtimestamp(now, call.portal.time_zone).replace(hour=0, minute=0, second=0, microsecond=0)
    resets = midnight + timedelta(days=1)
    result = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": call.portal.rates.daily.limit or 0,
        "currentUsage": 0,
        "collectedAt": iso(int(now * 1000)),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(int(resets.timestamp() * 1000)),
    }
    return Reply(200, {"results": [result]})


OPERATIONS = (
    Operation("GET", "/account-info/2026-09/details", details),
    Operation("GET", "/account-info/2026-09/api-usage/daily/private-apps", daily_usage),
    Operation("POST", "/oauth/v2/private-apps/get/access-token-info", token_info, kind="free"),
)
