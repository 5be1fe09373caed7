"""Memory this process may use, in words, for messages about having too little."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Limit of the container, where there is one (control groups, version 2)."""


def memory_bound() -> str:
    """The lowest limit that is set, like `2.0 GB`, or `all memory of the machine`."""
    limits = []
    # Both limits can be set at once; the lower one is what the process ran into.
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    with suppress(OSError, ValueError):  # no container, or the word `max`
        limits.append(int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return f"{min(limits) / 1e9:.1f} GB of memory" if limits else "all memory of the machine"
