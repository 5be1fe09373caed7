"""Where the look-alike can answer in more than one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class Options:
    """What the public documentation leaves open, so that clients can be tried against each answer.

    `bad_key_status`: 400 was observed, 401 is what some clients expect. `missing_status`: for an unknown id.
    `retry_after`: how a 429 says when to come back; `none` leaves the header out.
    """

    bad_key_status: int = 400
    missing_status: int = 400
    retry_after: Literal["seconds", "date", "none"] = "seconds"
