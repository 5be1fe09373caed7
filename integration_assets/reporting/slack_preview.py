"""A Slack message as people will see it, on a terminal: for a dry run, and where Slack is not configured."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text
from slack_sdk.models.blocks import Block, ContextBlock, DividerBlock, HeaderBlock, SectionBlock

EMOJI = {
    ":white_check_mark:": "✅",
    ":warning:": "⚠️",
    ":raised_hand:": "✋",
    ":hourglass:": "⌛",
    ":x:": "❌",
    ":octagonal_sign:": "🛑",
    ":large_green_circle:": "🟢",
    ":rotating_light:": "🚨",
    ":package:": "📦",
}
_MARKUP = re.compile(r"\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`|<(?P<url>[^|>]+)\|(?P<label>[^>]+)>")
_UNESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def show_slack(console: Console, text: str, blocks: Sequence[Block]) -> None:
    """The message as sent: in a panel on a terminal, as plain lines elsewhere."""
    body = Group(*(_block(block) for block in blocks)) if blocks else Group(Text(text))
    # A frame in a log would cut its lines at the width of a terminal that is not there.
    if console.is_terminal:
        console.print(Panel(body, title="Slack", title_align="left", border_style="dim"))
    else:
        console.print(body, soft_wrap=True)


def _block(block: Block) -> RenderableType:
    if isinstance(block, HeaderBlock):
        return Text(_with_emoji(block.text.text if block.text else ""), style="bold")
    if isinstance(block, SectionBlock):
        return _mrkdwn(block.text.text if block.text else "") + Text("\n")
    if isinstance(block, ContextBlock):
        words = " ".join(str(getattr(element, "text", "")) for element in block.elements)
        return _mrkdwn(words, style="dim")
    # A block we do not draw is named, not dropped: the preview shows everything that is sent.
    return Rule(style="dim") if isinstance(block, DividerBlock) else Text(str(block.type), style="dim")


def _mrkdwn(text: str, style: str = "") -> Text:
    """Slack's markup as styled text: bold, code and links, which show their label."""
    shown = Text(style=style)
    position = 0
    for match in _MARKUP.finditer(text):
        shown.append(_unescaped(text[position : match.start()]))
        if match["bold"]:
            shown.append(_unescaped(match["bold"]), style="bold")
        elif match["code"]:
            shown.append(_unescaped(match["code"]), style="cyan")
        else:
            # The label without its address: addresses of runs are long, and Slack shows none either.
            shown.append(_unescaped(match["label"]), style="underline")
        position = match.end()
    return shown.append(_unescaped(text[position:]))


def _unescaped(text: str) -> str:
    # The ampersand last: before the others it would make brackets of what was written as text.
    for escaped, character in _UNESCAPED:
        text = text.replace(escaped, character)
    return text


def _with_emoji(text: str) -> str:
    for name, emoji in EMOJI.items():
        text = text.replace(name, emoji)
    return text
