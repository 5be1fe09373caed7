"""The page of a CI job says how the run ended, and is text whatever titles say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.models import Rejected
from integration_assets.reporting.markdown import read_summary, summary_markdown
from integration_assets.reporting.run_summary import PlanLine, write_json

HOSTILE = "| <img src=x> [here](http://evil.example) `code` @octocat #1 **bold** bob@acme.example"


def test_it_says_what_was_done_and_what_is_to_do(summary):
    """State, numbers, coverage, top requests, failed checks, rejects, calls."""
    text = summary_markdown(summary)
    for words in (
        "### default → production: succeeded with rejects",
        "took 3 min 23 s",
        "| requests | 500 | 20 | 133 | 1 | 345 | 1 | 153 |",
        "17,950 of 20,000 votes matched to a company (89.8%)",
        "4,120,346 USD",
        "crm\\_schema\\_as\\_expected",
        "title is too long",
        "| hubspot | 1,033 | 312 | 4 | 2 |",
        "**What to do:** Look at the rejects",
    ):
        assert words in text, words


def test_a_held_plan_shows_its_whole_hash(summary):
    """Who releases it elsewhere needs it, and the command for here."""
    held = msgspec.structs.replace(summary, state="HELD", plan=PlanLine("ab" * 32, held=True, reasons=("too many",)))
    text = summary_markdown(held)
    assert f"Plan `{'ab' * 32}`, held." in text
    assert "- too many" in text
    assert "`integration-assets approve abababababab --environment production`" in text


def test_words_from_outside_are_no_markup(summary):
    """No cell is left, no element, link, mention or emphasis made, and no address shown."""
    said = msgspec.structs.replace(summary, rejected=(Rejected("link", HOSTILE, HOSTILE),))
    (line,) = [line for line in summary_markdown(said).splitlines() if line.startswith("| link |")]
    assert line.replace("\\|", "").count("|") == 4
    assert "<img" not in line
    assert "[here]" not in line
    assert "@" not in line
    assert "acme.example" not in line


def test_many_rejects_are_counted(summary):
    """The page stays short."""
    many = msgspec.structs.replace(summary, rejected=(Rejected("link", "canny:r1", "limit"),) * 30)
    assert "and 10 more" in summary_markdown(many)


def test_a_summary_comes_back_from_its_file(summary, tmp_path: Path):
    """What `--json` wrote is what is shown."""
    write_json(summary, tmp_path / "summary.json")
    assert summary_markdown(read_summary(tmp_path / "summary.json")) == summary_markdown(summary)


def test_what_is_no_summary_is_refused(tmp_path: Path):
    """With the file, and what to give instead."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_summary(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"version": 1}')
    with pytest.raises(ConfigurationError, match="--json"):
        read_summary(tmp_path / "other.json")
