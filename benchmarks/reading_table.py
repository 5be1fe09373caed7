"""Read every vote of a table of one's own, page by page, as a run does, and print how many there are."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from integration_assets.connectors.feedback.table.connector import TableFeedback


async def _read(mapping: Path) -> int:
    async with TableFeedback(mapping=mapping) as table:
        return sum([len(page.records) async for page in table.votes()])


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(_read(Path(sys.argv[1])))}\n")
