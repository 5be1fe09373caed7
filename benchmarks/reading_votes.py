"""Read every vote of the feedback system into a store, as a run does, and print how many there are."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from integration_assets.config import load_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.staging.loading import replacing
from integration_assets.staging.store import open_store
from integration_assets.tenants.integrations import feedback_for


async def _read(store: Path) -> int:
    with open_store(store) as connection, replacing(connection, ["raw.votes", "raw.voters"]) as load:
        settings = load_settings()
        async with feedback_for(settings, settings.feedbacks[0], CallCounter()) as feedback:
            async for page in feedback.votes():
                load.append("raw.votes", page.records)
        load.note_read("votes", as_of=datetime.now(UTC))
    return load.loaded["raw.votes"]


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(_read(Path(sys.argv[1])))}\n")
