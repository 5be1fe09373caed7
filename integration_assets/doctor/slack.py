"""Check of Slack: the token is live, may post, and the channel is one it can post to. Nothing is posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integration_assets.doctor.context import DoctorContext, in_thread, replace_secret
from integration_assets.doctor.findings import CheckOutcome, fail, ok, skipped, unknown, warn
from integration_assets.tenants.address_policies import guard_for
from integration_assets.tenants.registry.words import Provider

if TYPE_CHECKING:
    from integration_assets.config import Settings

CHANNEL = "channel"
NEEDED = "chat:write"
SECONDS = 5
BUSY = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Slack's words for what is not about the token ("Common errors" of its methods)."""
AGAIN = "run the doctor again in a minute"
LOOKED_UP_BY_ID = ("C", "G", "D")
"""First letters of the ids of conversations; a name cannot be looked up."""


async def slack(context: DoctorContext) -> CheckOutcome:
    """20: token and channel."""
    settings = await context.settings()
    own = settings.slack
    if own.secret is None:
        return skipped("not configured: the summary is printed only")
    if own.text(CHANNEL) is None:
        name = own.named(CHANNEL)
        return fail(f"{name} is not set: nothing can be posted", f"set {name}", usage=True)
    return await in_thread(lambda: _slack(settings, context.tenant))


def _slack(settings: Settings, tenant: str) -> CheckOutcome:
    from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - slow to import, and most have no Slack

    replace = replace_secret(settings, settings.slack, tenant)
    try:
        granted = _granted(_ask(settings, "auth.test"))
        # Not every answer names the scopes; then posting will tell.
        if granted is not None and NEEDED not in granted:
            return fail(f"the token lacks the scope {NEEDED}", f"add {NEEDED} to the app and install it again")
        return _channel(settings)
    except SlackApiError as error:
        # Slack's own trouble must not make people replace a token that works.
        if _word(error) in BUSY:
            return unknown(f"Slack does not answer now: {_word(error)}", AGAIN)
        return fail(f"Slack refuses the token: {_word(error)}", replace)
    except Exception as error:  # noqa: BLE001 - the client raises whatever its transport does
        return fail(f"Slack cannot be reached ({type(error).__name__})", "check the network, then run the doctor again")


def _channel(settings: Settings) -> CheckOutcome:
    from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - the same

    channel, name = settings.slack.text(CHANNEL) or "", settings.slack.named(CHANNEL)
    # Slack posts to a name but has no method to look one up: that is no reason to fail.
    if not channel.startswith(LOOKED_UP_BY_ID):
        return ok("the token is valid and may post; a channel given by name cannot be looked up")
    try:
        answer = _ask(settings, "conversations.info", channel=channel)
    except SlackApiError as error:
        # Looking up needs a scope that posting does not: most apps will not have it.
        if _word(error) == "missing_scope":
            return ok("the token is valid and may post; to look the channel up it would need channels:read")
        if _word(error) in BUSY:
            return unknown(f"the token is valid; Slack does not tell of the channel now: {_word(error)}", AGAIN)
        return fail(f"Slack does not know the channel: {_word(error)}", f"correct {name}")
    info = answer.get("channel") or {}
    if info.get("is_archived"):
        return fail("the channel is archived", f"choose another channel in {name}")
    # Only a warning: with the scope chat:write.public an app posts to public channels without being in them.
    if info.get("is_member") is False:
        return warn("the app is not in the channel", "invite the app to the channel")
    return ok("the token is valid, may post, and is in the channel")


def _ask(settings: Settings, method: str, **arguments: str) -> Any:
    from integration_assets.connectors.slack import slack_client  # noqa: PLC0415 - the same

    own = settings.slack
    token = own.secret.get_secret_value() if own.secret else ""
    guard = guard_for(settings, Provider(own.spec.name))
    client = slack_client(token, own.base_url, guard=guard, timeout=SECONDS)
    return client.api_call(method, params=arguments)


def _granted(answer: Any) -> set[str] | None:
    """The scopes Slack names with every answer; None when it does not."""
    headers = {str(name).lower(): value for name, value in answer.headers.items()}
    text = headers.get("x-oauth-scopes")
    return {scope.strip() for scope in str(text).split(",")} if text is not None else None


def _word(error: Any) -> str:
    """Slack's own word for an error, as far as it is one."""
    code = error.response.get("error") if hasattr(error.response, "get") else None
    # Whatever stands there may be text of a proxy, which must not get into the table.
    if isinstance(code, str) and code.replace("_", "").isalnum():
        return code[:80]
    return f"status {getattr(error.response, 'status_code', 'unknown')}"
