"""The HTTP side of the Slack look-alike: `auth.test` and `chat.postMessage`.

As with the real Web API a refusal is HTTP 200 with `ok` false; only too many messages are a 429. Sources: the method
pages and the page on rate limits at docs.slack.dev.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.slack.blocks import BlocksError, check_blocks
from integration_assets.sandbox.slack.team import SlackTeam

MOST_TEXT = 40_000
"""Characters of a message's text."""


def slack_lookalike(team: SlackTeam, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """Slack's Web API over a team: `/api/<method>`."""
    return Lookalike(_application(team), latency=latency)


def _application(team: SlackTeam) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        await _response(team, request, raw)(scope, receive, send)

    return application


def _response(team: SlackTeam, request: Request, raw: bytes) -> Response:
    method = _METHODS.get(request.url.path)
    if method is None:
        return _refused("unknown_method")
    note_template(request.scope, request.url.path)
    if request.method != "POST":
        return _refused("invalid_http_method")
    try:
        args = _arguments(request.headers.get("content-type", ""), raw)
    except ValueError:
        return _refused("invalid_json")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else args.get("token", "")
    args.pop("token", None)
    if not token:
        return _refused("not_authed")
    if token != team.token:
        return _refused("invalid_auth")
    return method(team, args)


def _arguments(content_type: str, raw: bytes) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        args = json.loads(raw or b"{}")
        if not isinstance(args, dict):
            raise ValueError("not an object")
        return args
    args = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    for name in ("blocks", "attachments", "metadata"):
        if name in args:
            args[name] = json.loads(args[name])
    return args


def _auth_test(team: SlackTeam, _: dict[str, Any]) -> Response:
    identity = {
        "url": f"https://{team.name.lower()}.slack.com/",
        "team": team.name,
        "user": "integration_assets",
        "team_id": team.team_id,
        "user_id": "U0SANDBOX",
        "bot_id": "B0SANDBOX",
        "is_enterprise_install": False,
    }
    return JSONResponse({"ok": True, **identity}, headers={"x-oauth-scopes": ",".join(sorted(team.scopes))})


def _conversation(team: SlackTeam, args: dict[str, Any]) -> Response:
    if "channels:read" not in team.scopes:
        return _refused("missing_scope", needed="channels:read", provided=",".join(sorted(team.scopes)))
    # By id only: a name is as unknown as a channel that is not there.
    channel = next((known for known in team.channels if known.id == args.get("channel")), None)
    if channel is None:
        return _refused("channel_not_found")
    shown = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": True,
        "is_archived": channel.is_archived,
        "is_member": channel.is_member,
    }
    return JSONResponse({"ok": True, "channel": shown})


def _post_message(team: SlackTeam, args: dict[str, Any]) -> Response:
    if "chat:write" not in team.scopes:
        return _refused("missing_scope", needed="chat:write", provided=",".join(sorted(team.scopes)))
    channel = team.channel(args["channel"]) if isinstance(args.get("channel"), str) else None
    if channel is None:
        return _refused("channel_not_found")
    if channel.is_archived:
        return _refused("is_archived")
    if not channel.is_member:
        return _refused("not_in_channel")
    text = args.get("text") or ""
    if not text and not args.get("blocks") and not args.get("attachments"):
        return _refused("no_text")
    if len(text) > MOST_TEXT:
        return _refused("msg_too_long")
    if "blocks" in args:
        try:
            check_blocks(args["blocks"])
        except BlocksError as error:
            return _refused(error.error, response_metadata={"messages": error.details})
    wait = _wait(team, channel.id)
    if wait > 0:
        headers = {"retry-after": str(max(1, math.ceil(wait)))}
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
    message = {**args, "ts": team.next_ts()}
    team.messages.append(message)
    shown = {"type": "message", "text": text, "ts": message["ts"], "user": "U0SANDBOX", "bot_id": "B0SANDBOX"}
    if "blocks" in args:
        shown["blocks"] = args["blocks"]
    return JSONResponse({"ok": True, "channel": channel.id, "ts": message["ts"], "message": shown})


def _wait(team: SlackTeam, channel_id: str) -> float:
    """Seconds until the channel takes another message; counts this one when it is 0."""
    moment = team.now()
    wait = team.last_post.get(channel_id, -math.inf) + team.interval - moment
    if wait > 0:
        return wait
    team.last_post[channel_id] = moment
    return 0.0


def _refused(error: str, **more: Any) -> Response:
    return JSONResponse({"ok": False, "error": error, **more})


_METHODS: dict[str, Callable[[SlackTeam, dict[str, Any]], Response]] = {
    "/api/auth.test": _auth_test,
    "/api/chat.postMessage": _post_message,
    "/api/conversations.info": _conversation,
}
