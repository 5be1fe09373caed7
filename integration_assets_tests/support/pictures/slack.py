"""A message of Slack as a page that looks like Slack's own, from the blocks it was sent as."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

SIGNS = {
    ":white_check_mark:": ("✓", "#2bac76"),
    ":warning:": ("!", "#d9a514"),
    ":raised_hand:": ("‖", "#d9a514"),
    ":hourglass:": ("…", "#d9a514"),
    ":x:": ("✕", "#e01e5a"),
    ":octagonal_sign:": ("■", "#e01e5a"),
    ":large_green_circle:": ("●", "#2bac76"),
    ":rotating_light:": ("!", "#e01e5a"),
    ":package:": ("▣", "#a5744a"),
}
"""What stands for Slack's emoji: a machine need not have their font."""
STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d1c1d; --soft: #616061; --line: #ddd; --link: #1264a3;
  --code: #e01e5a; --code-ground: #f6f6f6; }
@media (prefers-color-scheme: dark) { :root { --ground: #1a1d21; --ink: #d1d2d3; --soft: #ababad; --line: #35373b;
  --link: #1d9bd1; --code: #e8912d; --code-ground: #222529; } }
body { margin: 0; padding: 20px; background: var(--ground); color: var(--ink); font: 15px/1.467 Lato, "Liberation Sans",
  sans-serif; overflow-wrap: anywhere; }
article { max-width: 700px; display: grid; grid-template-columns: 36px 1fr; gap: 0 10px; }
article + article { margin-top: 28px; }
.face { width: 36px; height: 36px; border-radius: 6px; background: #2257d6; }
.from { font-weight: 900; }
.from small { font-weight: 400; background: var(--code-ground); color: var(--soft); padding: 1px 4px;
  font-size: 10px; margin-left: 4px; }
h1 { font-size: 18px; line-height: 1.33; margin: 8px 0 4px; }
p { margin: 8px 0; white-space: pre-wrap; }
.context { font-size: 13px; color: var(--soft); margin: 4px 0; }
hr { border: 0; border-top: 1px solid var(--line); margin: 12px 0; }
code { font: 12px "Liberation Mono", monospace; color: var(--code); background: var(--code-ground); padding: 2px 3px;
  border: 1px solid var(--line); border-radius: 3px; }
.sign { display: inline-block; width: 20px; border-radius: 4px; color: #fff; font-size: 14px; text-align: center; }
a { color: var(--link); text-decoration: none; }
"""
_MARKUP = re.compile(r"\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`|<(?P<url>[^|>\s]+)\|(?P<label>[^>]+)>")


def slack_page(messages: Iterable[Mapping[str, Any]]) -> str:
    """One page with these messages, arguments of chat.postMessage, the first one at the top."""
    articles = "".join(
        '<article><span class="face"></span><div><div class="from">Feature requests <small>APP</small></div>'
        f"{''.join(map(_block, one.get('blocks') or [_section(one['text'])]))}</div></article>"
        for one in messages
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return f"<!doctype html><html lang=en><head>{head}<title>Slack</title><style>{STYLE}</style></head>{articles}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _block(block: Mapping[str, Any]) -> str:
    """Slack's block as markup. One of another type than we send is an error: the picture would lack it."""
    match block["type"]:
        case "header":
            return f"<h1>{_with_emoji(html.escape(block['text']['text']))}</h1>"
        case "section":
            return f"<p>{_markup(block['text']['text'])}</p>"
        case "context":
            return f'<p class="context">{" ".join(_markup(one["text"]) for one in block["elements"])}</p>'
        case "divider":
            return "<hr>"
    raise ValueError(f"a block of type {block['type']} has no picture")


def _markup(text: str) -> str:
    """Slack's markup as HTML. Its text is escaped already, in the same way as HTML is."""
    made, position = [], 0
    for found in _MARKUP.finditer(text):
        made.append(text[position : found.start()])
        if found["bold"]:
            made.append(f"<b>{_markup(found['bold'])}</b>")
        elif found["code"]:
            made.append(f"<code>{found['code']}</code>")
        else:
            made.append(f'<a href="{found["url"]}">{found["label"]}</a>')
        position = found.end()
    return _with_emoji("".join((*made, text[position:])))


def _with_emoji(text: str) -> str:
    for name, (sign, colour) in SIGNS.items():
        text = text.replace(name, f'<span class="sign" style="background:{colour}">{sign}</span>')
    return text
