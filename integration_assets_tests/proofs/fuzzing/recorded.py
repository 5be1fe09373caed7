"""Answers taken once from a look-alike, and given again, one of them damaged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_assets.connectors.body import BodyError, BodyReader, CutBodyError, LargeBodyError
from integration_assets.connectors.exchange import LostError, RawAnswer, UnreadableError
from integration_assets_tests.proofs.fuzzing.damage import Damaged

BODY_BYTES = 1024 * 1024
"""Cap of the fuzzed clients: a small one, so that a small bomb is one."""
MOST_CALLS = 400
"""A story that makes so many calls about a dozen recorded answers does not end."""

Place = tuple[str, str]
"""Method and path."""


class EndlessError(Exception):
    """The connector asks again and again."""


@dataclass
class Recording:
    """Answers in the order they came, by place."""

    answers: defaultdict[Place, list[RawAnswer]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, answer: RawAnswer, path: str, method: str) -> RawAnswer:
        """Take one answer."""
        self.answers[method, path].append(answer)
        return answer

    def places(self) -> list[tuple[Place, int]]:
        """Every answer there is to damage: those with a body."""
        return [
            (place, number)
            for place, answers in self.answers.items()
            for number, answer in enumerate(answers)
            if answer.body
        ]


class Replay:
    """An exchange that gives the recorded answers again, the one at `place` damaged, once. Beyond them the last one.

    `given` are the bodies that went out, by place. `damage_given`: whether the damaged one did.
    """

    host = "recorded"

    def __init__(
        self, recording: Recording, place: tuple[Place, int], damaged: Damaged, status: int, headers: Mapping[str, str]
    ) -> None:
        self._answers = recording.answers
        self._place = place
        self._damaged = damaged
        self._status = status
        self._headers = headers
        self.given: defaultdict[Place, list[bytes]] = defaultdict(list)
        self._calls = 0
        self.damage_given = False

    def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(self, method: str, path: str, *_: object, **_options: object) -> RawAnswer:
        """The next recorded answer of this place; 404 where nothing was recorded."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise EndlessError(f"{self._calls} calls")
        place = (method, path)
        number = len(self.given[place])
        if (place, number) == self._place:
            self.damage_given = True
            self.given[place].append(b"")
            answer = self._broken()
            self.given[place][-1] = answer.body
            return answer
        recorded = self._answers.get(place)
        if not recorded:
            return RawAnswer(404, {"content-type": "application/json"}, b'{"message":"not recorded"}')
        answer = recorded[min(number, len(recorded) - 1)]
        self.given[place].append(answer.body)
        return answer

    def _broken(self) -> RawAnswer:
        """The damaged answer, through the reader of bodies that every real answer goes through."""
        body, encoding = self._damaged
        try:
            reader = BodyReader(encoding, BODY_BYTES)
            for start in range(0, len(body), 65_536):
                reader.feed(body[start : start + 65_536])
            return RawAnswer(self._status, {"content-encoding": encoding, **self._headers}, reader.finish())
        except CutBodyError:
            raise LostError("broke the connection") from None
        except BodyError as error:
            large = isinstance(error, LargeBodyError)
            raise UnreadableError(str(error), self._status, large=large) from None


def lax(body: bytes) -> Any:
    """What the most forgiving parser makes of a body; None when even that gives up."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
