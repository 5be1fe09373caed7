"""The first requests of each segment of companies, as a terminal shows them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from integration_assets.config import Settings
from integration_assets.reporting.insights import Ranking
from integration_assets.reporting.published import open_published, read_currency
from integration_assets.reporting.segments import check_segments, left_out_words, read_segments
from integration_assets.reporting.terminal import plain_or_boxed, print_wide
from integration_assets.reporting.text import amount, clean, clip, lacking_rate, status_words


def show_segments(
    console: Console, settings: Settings, tenant: str, *, by: Ranking, most_requests: int, everything: bool
) -> None:
    """Print the first requests of each segment.

    Raises:
        ConfigurationError: no run of this version has published a ranking yet, or no property is mapped that companies
            have a value of.
    """
    with open_published(settings, tenant) as connection:
        check_segments(connection)
        currency = read_currency(connection)
        found = read_segments(connection, by=by, everything=everything, most_requests=most_requests)
    for one in found:
        table = plain_or_boxed(
            console,
            f"By {clip(clean(one.name), 60)}",
            ("segment", "left"),
            ("companies", "right"),
            (f"its ARR {currency}", "right"),
            ("#", "right"),
            ("request", "left"),
            ("status", "left"),
            (f"ARR {currency}", "right"),
            ("of them", "right"),
            ("votes", "right"),
        )
        for segment in one.segments:
            about: list[str | Text] = [
                Text(clip(clean(segment.value), 40)),
                f"{segment.companies:,}",
                amount(segment.arr),
            ]
            if not segment.requests:
                table.add_row(*about, "", "no open request", "", "", "", "")
            for number, request in enumerate(segment.requests):
                table.add_row(
                    *(about if number == 0 else [""] * len(about)),
                    f"{request.place:,}",
                    Text(clip(clean(request.title), 50)),
                    status_words(request.status),
                    f"{amount(request.arr)}{lacking_rate(request.companies_without_rate)}",
                    f"{request.companies:,}",
                    f"{request.votes:,}",
                )
        print_wide(console, table)
        if left_out := left_out_words(one):
            print_wide(console, Text(left_out, style="dim"))
    told = "every number is the segment's own: --segment PROPERTY=VALUE shows all of one"
    print_wide(console, Text(told, style="dim"))
