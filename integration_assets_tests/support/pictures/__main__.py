"""`python -m integration_assets_tests.support.pictures FOLDER`: pictures of everything that people look at.

With `--docs` instead of a folder: those of the documentation, into docs/pictures. Chromium is needed.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

from integration_assets.sandbox.sample_data import SampleData, build_sample
from integration_assets_tests.support.pictures.album import other_views, views
from integration_assets_tests.support.pictures.documented import FOLDER, documented
from integration_assets_tests.support.pictures.seen import seen_installations

DOCS = "--docs"


def sample() -> SampleData:
    """The demo's data."""
    return build_sample(until=datetime.now(UTC).replace(microsecond=0))


def main(arguments: list[str]) -> int:
    """Make the installations, and take the pictures. Returns the exit code: 1 if a page scrolls sideways on a phone."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or len(arguments) != 1:
        sys.stderr.write("a folder for the pictures (or --docs), and Chromium on this machine, are needed\n")
        return 2
    wide: list[str] = []
    with ExitStack() as stack:
        seen = stack.enter_context(seen_installations(sample))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        if arguments == [DOCS]:
            FOLDER.mkdir(exist_ok=True)
            for name, view in documented(browser, seen):
                view.page.screenshot(path=FOLDER / name, animations="disabled")
            return 0
        folder = Path(arguments[0])
        folder.mkdir(parents=True, exist_ok=True)
        for found in (views(browser, seen), other_views(browser, seen)):
            for view in found:
                view.page.screenshot(path=folder / view.file, full_page=True, animations="disabled")
                wide += [f"{view.file}: {view.overflow} pixels too wide\n"] if view.overflow else []
    sys.stderr.writelines(wide)
    return 1 if wide else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
