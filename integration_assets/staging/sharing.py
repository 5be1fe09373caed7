"""Access to the home on this machine: for its owner only, or for everybody to what is published and nothing else.

What is published holds no e-mail address. Stores, overrides and messages do; the registry holds sealed secrets.
"""

from __future__ import annotations

import stat
from pathlib import Path

from integration_assets.errors import PermanentError

PUBLISHED = "published"
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
PASS_THROUGH = stat.S_IXGRP | stat.S_IXOTH
"""Of a folder: what is in it can be opened by name, and not listed."""
READABLE = 0o755


def share_published(home: Path) -> None:
    """Let every account of this machine open what is published. Everything else of the home is closed first.

    Folders above the home are not touched.

    Raises:
        PermanentError: a mode cannot be changed.
    """
    try:
        # First closed, then opened: in between, nothing private can be reached by its name.
        for entry in exposed(home, passed_through=True):
            entry.chmod(stat.S_IMODE(entry.stat().st_mode) & ~FOR_OTHERS)
        published = home / PUBLISHED
        for folder in (published, *(inside for inside in published.iterdir() if inside.is_dir())):
            folder.chmod(READABLE)
        # Passed through, not listed: others see nothing but what is published.
        home.chmod(stat.S_IMODE(home.stat().st_mode) & ~FOR_OTHERS | PASS_THROUGH)
    except OSError as error:
        raise PermanentError(
            f"what is published cannot be shared: {error.filename or home}: {error.strerror}; see who owns it, or "
            "unset INTEGRATION_ASSETS_SHARE_PUBLISHED"
        ) from error


def exposed(home: Path, *, passed_through: bool = False) -> list[Path]:
    """Entries of the home beside `published` that other accounts may open, by name.

    None where they do not get into the home; `passed_through` asks what they could open if they did.
    """
    if not home.is_dir() or not (passed_through or home.stat().st_mode & PASS_THROUGH):
        return []
    # The mode of a link says nothing, and changing it would change its target.
    entries = (entry for entry in home.iterdir() if entry.name != PUBLISHED and not entry.is_symlink())
    return sorted(entry for entry in entries if entry.stat().st_mode & FOR_OTHERS)
