"""Bars as inline SVG: drawn by the server, coloured by the stylesheet, read out as the table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from integration_assets.reporting.text import clip

ROW = 46
"""Pixels from one bar to the next; the label stands above its bar."""
LONGEST_BAR = 60
"""Percent of the width: the value is written at its right edge, on a phone as well."""
LONGEST_LABEL = 60


class Bar(msgspec.Struct, frozen=True):
    """One bar, placed: `y` in pixels from the top, `length` in percent of the width."""

    label: str
    title: str
    value: str
    link: str
    y: int
    length: float


class Chart(msgspec.Struct, frozen=True):
    """Bars below each other. `name` says what they show."""

    name: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        """Pixels."""
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
            # Below zero is drawn as nothing: a bar cannot lead to the left, and the number beside it says it.
            length=round(float(max(Decimal(number), Decimal(0)) / most) * LONGEST_BAR, 1) if most > 0 else 0.0,
        )
        for place, (title, number, shown, link) in enumerate(rows)
    )
    return Chart(name, bars)
