"""Charts as SVG text: pure functions, no library, no script, legible at the width of a phone.

Every function returns one `<svg>` element that scales with the place it stands in and takes its colours from
`CHART_STYLE`, which follows the choice of light or dark. All text is escaped; shapes say what they are on hover and to
screen readers; no chart says anything by colour alone. `as_image` makes one that stands by itself.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from math import log
from pathlib import Path

import msgspec

from integration_assets.reporting.text import clean

WIDTH = 420
"""Units of every chart: one unit is about a pixel on a phone, where text of 13 can still be read."""
ROW = 42
"""Height of a bar with its words above it."""
MOST_LINES = 5
"""Lines of a trend: more cannot be told apart."""
_ROUND_PLACES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)

CHART_STYLE = (Path(__file__).parent / "templates" / "charts.css").read_text(encoding="utf-8")
"""The style sheet of all charts."""


class Bar(msgspec.Struct, frozen=True):
    """One bar: whose, how long, how that is written. `lost` bars have the other colour."""

    label: str
    value: Decimal | int
    shown: str
    lost: bool = False


class Point(msgspec.Struct, frozen=True):
    """A request by two places, 1 the first. A `mark` is a number drawn at it, to be explained beside the chart."""

    label: str
    x: int
    y: int
    mark: int | None = None


class Line(msgspec.Struct, frozen=True):
    """Places of one request over time, oldest first, 1 the first."""

    label: str
    places: tuple[tuple[datetime, int], ...]


def bar_chart(name: str, bars: Sequence[Bar]) -> str:
    """Bars below each other, each with its words above it; negative values have no bar."""
    # As decimals: sums of ARR are compared exactly, and only the width is a float.
    most = max((Decimal(bar.value) for bar in bars), default=Decimal(0))
    parts = []
    for place, bar in enumerate(bars):
        top = place * ROW
        # Below zero is no bar: a negative width is refused by browsers, and the number says it.
        share = float(max(Decimal(bar.value), Decimal(0)) / most) if most > 0 else 0.0
        # Label and number share a line: the label gives way.
        room = 60 - len(bar.shown)
        kind = "lost" if bar.lost else "bar"
        parts += [
            f"<g><title>{_text(bar.label)}: {_text(bar.shown)}</title>",
            f'<text x="0" y="{top + 15}">{_text(fitted(bar.label, room))}</text>',
            f'<text x="{WIDTH}" y="{top + 15}" text-anchor="end">{_text(bar.shown)}</text>',
            f'<rect class="track" x="0" y="{top + 22}" width="{WIDTH}" height="10" rx="2"/>',
            f'<rect class="{kind}" x="0" y="{top + 22}" width="{share * WIDTH:.1f}" height="10" rx="2"/></g>',
        ]
    return _svg(name, max(len(bars) * ROW, 1), parts)


def place_chart(name: str, points: Sequence[Point], *, across: str, down: str) -> str:
    """Two rankings against each other, first places at the top left; the dashed line is where both agree.

    Both scales are logarithmic: from 1 to 10 is as far as from 10 to 100, since first places are what matters.
    `across` and `down` say what the axes are.
    """
    left, top, size = 46, 12, WIDTH - 58
    last = max((max(point.x, point.y) for point in points), default=1)
    # Round places only: on a logarithmic scale even steps would crowd at the end.
    ticks = [tick for tick in _ROUND_PLACES if tick <= last]

    def at(place: int) -> float:
        # With one place only there is no distance to divide by.
        return log(place) / log(last) * size if last > 1 else 0.0

    parts = [f'<rect class="rule" x="{left}" y="{top}" width="{size}" height="{size}"/>']
    for tick in ticks:
        x, y = left + at(tick), top + at(tick)
        parts += [
            f'<line class="rule" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + size}"/>',
            f'<line class="rule" x1="{left}" y1="{y:.1f}" x2="{left + size}" y2="{y:.1f}"/>',
            f'<text class="soft" x="{x:.1f}" y="{top + size + 16}" text-anchor="middle">{tick:,}</text>',
            f'<text class="soft" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,}</text>',
        ]
    parts.append(f'<line class="even" x1="{left}" y1="{top}" x2="{left + size}" y2="{top + size}"/>')
    for point in sorted(points, key=lambda one: one.mark is not None):  # numbers are drawn over dots
        parts.append(_dot(point, left + at(point.x), top + at(point.y)))
    middle = top + size / 2
    turned = f'text-anchor="middle" transform="rotate(-90 12 {middle})"'
    parts += [
        f'<text class="soft" x="{left + size / 2}" y="{top + size + 34}" text-anchor="middle">{_text(across)} →</text>',
        f'<text class="soft" x="12" y="{middle}" {turned}>← {_text(down)}</text>',
    ]
    return _svg(name, top + size + 42, parts)


def _dot(point: Point, x: float, y: float) -> str:
    title = f"<title>{_text(point.label)}: {point.x:,} and {point.y:,}</title>"
    if point.mark is None:
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4">{title}</circle>'
    # The side of the dashed line says the same as the colour, for who cannot tell colours apart.
    side = "above" if point.y < point.x else "below"
    return (
        f'<g>{title}<circle class="mark {side}" cx="{x:.1f}" cy="{y:.1f}" r="8"/>'
        f'<text class="soft" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{point.mark}</text></g>'
    )


def trend_chart(name: str, lines: Sequence[Line]) -> str:
    """Places over time, the first place at the top; each line's latest place and label stand below, by number.

    At most five lines are drawn. A line with one point is a dot.
    """
    # More lines cannot be told apart, by colour or by eye.
    lines = lines[:MOST_LINES]
    left, top, width, height = 34, 12, WIDTH - 54, 190
    moments = sorted({moment for line in lines for moment, _ in line.places})
    last = max((place for line in lines for _, place in line.places), default=1)

    def across(moment: datetime) -> float:
        span = (moments[-1] - moments[0]).total_seconds()
        # One moment only stands at the right, where the newest always is.
        return left + ((moment - moments[0]).total_seconds() / span * width if span else width)

    def down(place: int) -> float:
        # With one place only there is no distance to divide by.
        return top + (place - 1) / max(last - 1, 1) * height

    parts = []
    for tick in _ticks(last):
        parts += [
            f'<line class="rule" x1="{left}" y1="{down(tick):.1f}" x2="{left + width}" y2="{down(tick):.1f}"/>',
            f'<text class="soft" x="{left - 8}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:,}</text>',
        ]
    # Only the two ends: dates between them would overlap on a phone.
    for moment, anchor in [(one, "start") for one in moments[:1]] + [(one, "end") for one in moments[1:][-1:]]:
        at = f'x="{across(moment):.1f}" y="{top + height + 20}"'
        parts.append(f'<text class="soft" {at} text-anchor="{anchor}">{moment:%Y-%m-%d}</text>')
    for number, line in enumerate(lines, start=1):
        drawn = " ".join(f"{across(moment):.1f},{down(place):.1f}" for moment, place in line.places)
        # The newest point has the dot: that is the place which counts.
        x, y = drawn.split()[-1].split(",") if drawn else ("0", "0")
        row = top + height + 42 + (number - 1) * 22
        label = fitted(line.label, 44)
        parts += [
            f'<g><title>{_text(line.label)}</title><polyline class="line n{number}" points="{drawn}"/>',
            f'<circle class="end n{number}" cx="{x}" cy="{y}" r="5"/></g>' if drawn else "</g>",
            f'<line class="line n{number}" x1="0" y1="{row - 4}" x2="28" y2="{row - 4}"/>',
            f'<text x="38" y="{row}">{_text(label)}</text>',
            f'<text x="{WIDTH}" y="{row}" text-anchor="end">{f"{line.places[-1][1]:,}" if drawn else "-"}</text>',
        ]
    return _svg(name, top + height + 34 + len(lines) * 22, parts)


def as_image(svg: str) -> str:
    """A chart as a `data:` address for an `<img>`: with its own style sheet, and paper behind it."""
    style = f"<style>{CHART_STYLE}.paper {{ fill: var(--c-paper); }}</style>"
    paper = '<rect class="paper" x="-12" y="-12" width="200%" height="200%"/>'
    # As an image the drawing has no page around it: it needs its namespace, its size and its own style.
    head, rest = svg.split(">", 1)
    text = f'{head} xmlns="http://www.w3.org/2000/svg" width="{WIDTH}">{style}{paper}{rest}'
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def fitted(text: str, room: int) -> str:
    """The text in at most `room` columns, as wide as a small letter each; cut with an ellipsis.

    Without the reader's font that is an estimate: letters that are wide in all of them count for more.
    """
    shown = clean(text)
    columns = [_columns(letter) for letter in shown]
    if sum(columns) <= room:
        return shown
    used, kept = 0.0, 0
    for width in columns:
        # One column is kept for the ellipsis.
        if used + width > room - 1:
            break
        used, kept = used + width, kept + 1
    return shown[:kept].rstrip() + "…"


def _columns(letter: str) -> float:
    # Estimates err on the wide side: a label cut early is better than one written over a number.
    if unicodedata.east_asian_width(letter) in "WF" or letter in "WM@%":
        return 2
    return 1.5 if letter in "mw" else 1.2 if letter.isupper() else 1


def _ticks(last: int) -> list[int]:
    """The first place, round ones, at most five, and none so close to another that the words would touch."""
    step: int = next(
        size * scale
        for scale in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
        for size in (1, 2, 5)
        if last / (size * scale) <= 5
    )
    return [1, *(tick for tick in range(step, last + 1, step) if tick > 1 and (tick - 1) * 6 >= last - 1)]


def _svg(name: str, height: float, parts: Sequence[str]) -> str:
    box = f"0 0 {WIDTH} {height:g}"
    return f'<svg class="chart" role="img" aria-label="{_text(name)}" viewBox="{box}">{"".join(parts)}</svg>'


def _text(text: str) -> str:
    return escape(clean(text), quote=True)
