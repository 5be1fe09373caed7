"""A person as texts and columns know one: by addresses in any spelling, and by ids of the outside systems."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from integration_assets.mail_addresses import address_key, other_spellings

FORGOTTEN = "forgotten"
"""Word in the place of an address or id. No brackets or quotes: it may stand within JSON, Markdown or HTML."""
SHORTEST_ID_IN_TEXT = 8
"""Characters from which on an id is looked for in free texts: a shorter one is also a number of something else."""
_LOCAL_PART = r"A-Za-z0-9.!#$%&'*+/=?^_`{|}~-"


class Person:
    """Addresses and ids of one person. `address` is the one the operator gave; it is never to be shown."""

    def __init__(self, address: str, ids: Iterable[str] = ()) -> None:
        self.key = address_key(address)
        self.ids = frozenset(ids)
        spellings = {self.key, address.strip().lower(), *other_spellings(address)}
        self.spellings = frozenset(spelling for spelling in spellings if "@" in spelling)

    def with_ids(self, ids: Iterable[str]) -> Person:
        """The same person, known by further ids."""
        known = Person(self.key, self.ids | {*ids})
        known.spellings = self.spellings
        return known

    @cached_property
    def needles(self) -> list[str]:
        """Lower-case texts of which a text that names the person holds at least one."""
        # As URLs write the sign, too.
        written = self.spellings | {spelling.replace("@", "%40") for spelling in self.spellings}
        return sorted(written | {one.lower() for one in self.ids if len(one) >= SHORTEST_ID_IN_TEXT})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        addresses = [re.escape(spelling).replace("@", "(?:@|%40)") for spelling in sorted(self.spellings)]
        ids = [re.escape(one) for one in sorted(self.ids) if len(one) >= SHORTEST_ID_IN_TEXT]
        # The end of a longer address, or the beginning of a longer host, is somebody else's.
        forms = [rf"(?<![{_LOCAL_PART}])(?:{'|'.join(addresses)})(?![A-Za-z0-9-]|\.[A-Za-z0-9])"] if addresses else []
        forms += [rf"(?<![A-Za-z0-9])(?:{'|'.join(ids)})(?![A-Za-z0-9])"] if ids else []
        return re.compile("|".join(forms), re.IGNORECASE) if forms else re.compile(r"(?!)")

    def named_in(self, text: str) -> bool:
        """Tell whether a text names the person."""
        return self._pattern.search(text) is not None

    def scrubbed(self, text: str) -> str:
        """The text with `FORGOTTEN` in the place of every address and long id of the person."""
        return self._pattern.sub(FORGOTTEN, text)

    def scrubbed_json(self, text: str) -> str:
        """As `scrubbed`, for a JSON text: only its strings are changed, as a number is no id that was sent as text."""
        try:
            value = json.loads(text)
        # Text that only looks like JSON.
        except ValueError:
            return self.scrubbed(text)
        scrubbed = self._scrubbed_value(value)
        return text if scrubbed == value else json.dumps(scrubbed, ensure_ascii=False)

    def _scrubbed_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.scrubbed(value)
        if isinstance(value, list):
            return [self._scrubbed_value(one) for one in value]
        if isinstance(value, dict):
            return {self.scrubbed(key): self._scrubbed_value(one) for key, one in value.items()}
        return value
