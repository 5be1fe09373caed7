"""Block Kit's documented limits. Source: the Block Kit reference (docs.slack.dev/reference/block-kit)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MOST_BLOCKS = 50
MOST_CHARACTERS = 13_000
"""Slack does not publish this sum; messages near it are refused as `msg_blocks_too_long`."""
MOST_MARKDOWN = 12_000
"""Characters of all markdown blocks of one message together."""

Block = Mapping[str, Any]


class BlocksError(Exception):
    """Why Slack refuses the blocks: its error code, and one line for each thing found."""

    def __init__(self, error: str, details: list[str]) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


def check_blocks(blocks: Any) -> None:
    """Raise what Slack would answer when a message's blocks break a documented limit."""
    if not isinstance(blocks, list):
        raise BlocksError("invalid_blocks_format", [])
    problems = list(_problems(blocks))
    if problems:
        raise BlocksError("invalid_blocks", problems)
    if len(json.dumps(blocks, ensure_ascii=False)) > MOST_CHARACTERS:
        raise BlocksError("msg_blocks_too_long", [])


def _problems(blocks: list[Any]) -> Iterator[str]:
    if len(blocks) > MOST_BLOCKS:
        yield f"[ERROR] no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"
    names: set[str] = set()
    markdown = 0
    for position, block in enumerate(blocks):
        where = f"/blocks/{position}"
        if not isinstance(block, dict) or block.get("type") not in _CHECKS:
            yield f"[ERROR] unsupported type [json-pointer:{where}/type]"
            continue
        name = block.get("block_id")
        if name is not None:
            if not isinstance(name, str) or not 0 < len(name) <= 255 or name in names:
                yield f"[ERROR] invalid block_id [json-pointer:{where}/block_id]"
            else:
                names.add(name)
        if block["type"] == "markdown":
            markdown += len(str(block.get("text", "")))
        yield from _CHECKS[block["type"]](block, where)
    if markdown > MOST_MARKDOWN:
        yield f"[ERROR] markdown must be less than {MOST_MARKDOWN + 1} characters in all [json-pointer:/blocks]"


def _text(value: Any, where: str, most: int, *, plain: bool = False) -> Iterator[str]:
    """Problems of a text object of at most `most` characters."""
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"[ERROR] must be a text object [json-pointer:{where}]"
    elif not value["text"]:
        yield f"[ERROR] must be more than 0 characters [json-pointer:{where}/text]"
    elif len(value["text"]) > most:
        yield f"[ERROR] must be less than {most + 1} characters [json-pointer:{where}/text]"


def _items(value: Any, where: str, most: int) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield f"[ERROR] missing required items [json-pointer:{where}]"
    elif len(value) > most:
        yield f"[ERROR] no more than {most} items allowed [json-pointer:{where}]"


def _section(block: Block, where: str) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield f"[ERROR] missing required field: text or fields [json-pointer:{where}]"
    if "text" in block:
        yield from _text(block["text"], f"{where}/text", 3000)
    if "fields" in block:
        yield from _items(block["fields"], f"{where}/fields", 10)
        for position, entry in enumerate(block["fields"] if isinstance(block["fields"], list) else ()):
            yield from _text(entry, f"{where}/fields/{position}", 2000)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{where}/accessory")


def _header(block: Block, where: str) -> Iterator[str]:
    yield from _text(block.get("text"), f"{where}/text", 150, plain=True)


def _divider(_: Block, __: str) -> Iterator[str]:
    return iter(())


def _context(block: Block, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _items(elements, f"{where}/elements", 10)
    for position, entry in enumerate(elements if isinstance(elements, list) else ()):
        if isinstance(entry, dict) and entry.get("type") == "image":
            yield from _image(entry, f"{where}/elements/{position}")
        else:
            yield from _text(entry, f"{where}/elements/{position}", 3000)


def _actions(block: Block, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _items(elements, f"{where}/elements", 25)
    for position, entry in enumerate(elements if isinstance(elements, list) else ()):
        yield from _element(entry, f"{where}/elements/{position}")


def _element(element: Any, where: str) -> Iterator[str]:
    """A button or an image; other interactive elements need an app that listens, which nobody here has."""
    if not isinstance(element, dict) or element.get("type") not in ("button", "image"):
        yield f"[ERROR] unsupported type [json-pointer:{where}/type]"
    elif element["type"] == "image":
        yield from _image(element, where)
    else:
        yield from _text(element.get("text"), f"{where}/text", 75, plain=True)
        if not isinstance(element.get("url", ""), str) or len(element.get("url", "")) > 3000:
            yield f"[ERROR] must be less than 3001 characters [json-pointer:{where}/url]"


def _image(block: Block, where: str) -> Iterator[str]:
    for name, most in (("image_url", 3000), ("alt_text", 2000)):
        value = block.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            yield f"[ERROR] missing or too long [json-pointer:{where}/{name}]"


def _markdown(block: Block, where: str) -> Iterator[str]:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield f"[ERROR] missing required field: text [json-pointer:{where}]"


def _rich_text(block: Block, where: str) -> Iterator[str]:
    if not isinstance(block.get("elements"), list):
        yield f"[ERROR] missing required field: elements [json-pointer:{where}]"


_CHECKS: dict[str, Callable[[Block, str], Iterator[str]]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "markdown": _markdown,
    "rich_text": _rich_text,
}
