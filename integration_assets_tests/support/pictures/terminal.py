"""A session on a terminal as a page: commands, and what they printed with its colours."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PROMPT = "$ "
COLOURS = 8
"""Black, red, green, yellow, blue, magenta, cyan and white; after them the bright ones."""
PALETTES = {
    "light": "ffffff 1f2328 24292f b4141e 116329 7d4e00 0950b4 783cb4 146e78 5a6068 "
    "57606a c81e28 1a7f37 825a00 1464dc 8c50c8 1e828c 3c424a",
    "dark": "0d1117 e6edf3 48a0a8 ff7b72 3fb950 d29922 58a6ff bc8cff 39c5cf b1bac4 "
    "6e7681 ffa198 56d364 e3b341 79c0ff d2a8ff 56d4dd f0f6fc",
}
"""Ground, ink and the colours, for a reader with a light screen and with a dark one."""
STYLE = """
body { margin: 0; }
pre { margin: 0; padding: 12px; min-height: 100vh; box-sizing: border-box;
  font: 12px/1.35 "DejaVu Sans Mono", monospace; }
.dark { display: none; }
@media (max-width: 640px) { pre { padding: 6px; font-size: 11.5px; } }
@media (prefers-color-scheme: dark) { .light { display: none; } .dark { display: block; } }
"""
HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Terminal</title>'


class Typed(NamedTuple):
    """A command as typed, and what it printed, with ANSI's codes for colours."""

    command: str
    printed: str


def terminal_page(session: Iterable[Typed], *, columns: int) -> str:
    """One page with a session on a terminal so wide, dark where the reader's screen is."""
    lines = (f"\x1b[1m{PROMPT}{one.command}\x1b[0m\n{one.printed.rstrip()}\n" for one in session)
    text = Text.from_ansi("\n".join(lines))
    shown = "".join(_screen(name, text, columns) for name in PALETTES)
    return f"<!doctype html><html lang=en><head>{HEAD}<style>{STYLE}</style></head>{shown}</html>"


def _screen(name: str, text: Text, columns: int) -> str:
    ground, ink, *colours = (tuple(bytes.fromhex(one)) for one in PALETTES[name].split())
    theme = TerminalTheme(ground, ink, colours[:COLOURS], colours[COLOURS:])  # type: ignore[arg-type]  # three bytes
    recorder = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    recorder.print(text)
    printed = recorder.export_html(theme=theme, inline_styles=True, code_format="{code}")
    style = f"background:{theme.background_color.hex};color:{theme.foreground_color.hex}"
    return f'<pre class="{name}" style="{style}">{printed}</pre>'
