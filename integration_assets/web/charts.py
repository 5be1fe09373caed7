"""Bars as inline SVG: drawn by the server, coloured by the stylesheet, read out as a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from integration_assets.reporting.text import clip

ROW = 30
BAR = 16
LABEL_WIDTH = 250
BAR_WIDTH = 300
VALUE_WIDTH = 130
WIDTH = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH
LONGEST_LABEL = 34


class Bar(msgspec.Struct, frozen=True):
    """One bar, placed: sizes in the units of the drawing's view box."""

    label: str
    title: str
    value: str
    link: str
    y: int
    length: float

    @property
    def end(self) -> float:
        """Where its value is written."""
        return LABEL_WIDTH + self.length + 8


class Chart(msgspec.Struct, frozen=True):
    """Bars below each other. `name` says what they show."""

    name: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        """Of the view box."""
        return ROW * len(self.bars)


def bar_chart(name: str, rows: Sequence[tuple[str, Decimal | int, str, str]]) -> Chart:
    """A chart of rows of title, number, how the number is written, and where the bar leads."""
    most = max((Decimal(number) for _, number, _, _ in rows), default=Decimal(0))
    bars = tuple(
        Bar(
            label=clip(title, LONGEST_LABEL),
            title=title,
            value=shown,
            link=link,
            y=place * ROW,
            length=round(float(max(Decimal(number), Decimal(0)) / most) * BAR_WIDTH, 1) if most > 0 else 0.0,
        )
        for place, (title, number, shown, link) in enumerate(rows)
    )
    return Chart(name, bars)
