"""Charts are well-formed drawings that say what they were given, whatever it was."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from integration_assets.reporting.charts import (
    MOST_LINES,
    WIDTH,
    Bar,
    Line,
    Point,
    as_image,
    bar_chart,
    fitted,
    place_chart,
    trend_chart,
)

HOSTILE = '<script>alert(1)</script> & "quoted" bob@acme.example \x00\u202e=HYPERLINK("http://x")'
DAY = datetime.fromisoformat("2026-03-01")


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def of_class(svg: str, name: str) -> list[ET.Element]:
    return [one for one in parsed(svg).iter() if name in one.get("class", "").split()]


def texts(svg: str) -> str:
    return "\n".join(one.text or "" for one in parsed(svg).iter())


def test_bars_are_as_long_as_their_values():
    """The largest fills the width, half of it half, nothing and less than nothing none."""
    svg = bar_chart("ARR", [Bar(str(value), Decimal(value), f"{value}") for value in (200, 100, 0, -5)])
    assert [float(one.get("width", "")) for one in of_class(svg, "bar")] == [WIDTH, WIDTH / 2, 0, 0]
    assert parsed(svg).get("aria-label") == "ARR"


def test_lost_bars_have_another_class():
    """What is not matched does not look like what is."""
    svg = bar_chart("Votes", [Bar("host", 3, "3"), Bar("no email", 1, "1", lost=True)])
    assert (len(of_class(svg, "bar")), len(of_class(svg, "lost"))) == (1, 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda text: bar_chart(text, [Bar(text, 1, text)]),
        lambda text: place_chart(text, [Point(text, 1, 2, 1), Point(text, 2, 1)], across=text, down=text),
        lambda text: trend_chart(text, [Line(text, ((DAY, 1), (DAY + timedelta(1), 2)))]),
    ],
    ids=["bars", "places", "trend"],
)
def test_hostile_words_are_only_words(draw):
    """Markup is shown as it is written; addresses, control and reordering characters are not there at all."""
    svg = draw(HOSTILE)
    assert "script" not in {one.tag for one in parsed(svg).iter()}
    assert "&lt;script&gt;" in svg
    assert "acme.example" not in svg
    assert "\u202e" not in svg
    assert "\x00" not in svg
    assert '=HYPERLINK("http://x")' in texts(svg)


@pytest.mark.parametrize(
    "draw",
    [lambda: bar_chart("x", []), lambda: place_chart("x", [], across="a", down="b"), lambda: trend_chart("x", [])],
)
def test_nothing_to_draw_is_an_empty_drawing(draw):
    """No data is no error."""
    assert parsed(draw()).tag == "svg"


def test_first_places_are_at_the_top_left_and_the_scale_is_logarithmic():
    """1 to 10 is as far as 10 to 100; a marked request shows its number, and on which side of the line it is."""
    points = [Point("first", 1, 1), Point("tenth", 10, 10), Point("last", 100, 100), Point("odd", 90, 2, mark=7)]
    svg = place_chart("places", points, across="votes", down="ARR")
    x = [float(one.get("cx", "")) for one in of_class(svg, "dot")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    (mark,) = of_class(svg, "mark")
    assert mark.get("class") == "mark above"
    assert "7" in texts(svg).splitlines()


def test_a_trend_goes_up_when_a_request_gets_a_better_place():
    """The first place is at the top, the newest moment at the right; the latest place stands beside the name."""
    svg = trend_chart("trend", [Line("riser", ((DAY, 9), (DAY + timedelta(7), 1)))])
    (line,) = of_class(svg, "line")[:1]
    (x0, y0), (x1, y1) = ([float(part) for part in pair.split(",")] for pair in line.get("points", "").split())
    assert x0 < x1
    assert y0 > y1
    assert "2026-03-01" in texts(svg)
    assert "2026-03-08" in texts(svg)


def test_a_trend_has_no_more_lines_than_can_be_told_apart():
    """The rest is left out."""
    svg = trend_chart("trend", [Line(f"request {number}", ((DAY, number),)) for number in range(1, 12)])
    assert f"request {MOST_LINES}" in svg
    assert f"request {MOST_LINES + 1}" not in svg


def test_an_image_stands_by_itself():
    """It has its style sheet and its name space inside, and needs nothing from elsewhere."""
    address = as_image(bar_chart("ARR", [Bar("one", 1, "1")]))
    kind, text = address.split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    drawing = base64.b64decode(text).decode()
    assert parsed(drawing).tag == "{http://www.w3.org/2000/svg}svg"
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")


def test_words_fit_by_columns():
    """Wide letters take two columns, so that nothing runs into the number beside it."""
    assert fitted("abcdef", 6) == "abcdef"
    assert fitted("abcdefg", 6) == "abcde…"
    assert fitted("标题标题", 6) == "标题…"
    assert fitted("W" * 9, 9) == "WWWW…"
