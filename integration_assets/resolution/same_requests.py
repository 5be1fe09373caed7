"""Requests that are the same one: a CSV file `request,same_as,note`, read whole and checked row by row.

A request is named by its key in the CRM, `<source>:<id>`, or by its id alone where one feedback system is read. The
votes on `request` count for `same_as`. The file can be committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.invisible import strip
from integration_assets.resolution.mapping_files import mapping_rows

HEADER = ("request", "same_as", "note")
NOT_READ = "is not among the requests that are read"
MERGED = "was merged into another request by its feedback system: name that one"


class SameRequest(msgspec.Struct, frozen=True):
    """One line of the file: the votes on `request` count for `same_as`. Both are keys, in lower case."""

    request: str
    same_as: str
    note: str = ""


class SameRequests(msgspec.Struct, frozen=True):
    """The meaning of a file for the requests that were read.

    `pairs` are ids (request, the one its votes count for); `problems` the lines that are ignored, with the reason.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def read_same_requests(path: Path, source_names: Sequence[str]) -> tuple[SameRequest, ...]:
    """The lines of a file in their order; none when there is no file. `source_names` are those that are read.

    Raises:
        ConfigurationError: the file cannot be read, or a line is wrong; names file and line.
    """
    if not path.exists():
        return ()
    found: dict[str, tuple[int, SameRequest]] = {}
    for line, (request, same_as, note) in mapping_rows(path, HEADER):
        where = f"{path} line {line}"
        one = SameRequest(_key(request, source_names, where), _key(same_as, source_names, where), strip(note))
        if one.request == one.same_as:
            raise ConfigurationError(f"{where}: {one.request} is said to be the same as itself, remove the line")
        above, earlier = found.setdefault(one.request, (line, one))
        # The same line twice does no harm; two ends for one request would depend on the order of lines.
        if earlier.same_as != one.same_as:
            raise ConfigurationError(
                f"{where}: {one.request} is said to be the same as another request above (line {above}), keep one"
            )
    _refuse_circles({name: one.same_as for name, (_, one) in found.items()}, path)
    return tuple(one for _, one in found.values())


def _key(written: str, source_names: Sequence[str], where: str) -> str:
    key = strip(written).lower()
    if not key:
        raise ConfigurationError(f"{where}: a request is missing")
    if key.partition(":")[0] in source_names and ":" in key:
        return key
    # With one system there is nothing else that a bare id could be of.
    if len(source_names) == 1:
        return f"{source_names[0]}:{key}"
    forms = " or ".join(f"{one}:<id>" for one in source_names)
    raise ConfigurationError(f"{where}: {key} names no feedback system that is read: write {forms}")


def _refuse_circles(ends: Mapping[str, str], path: Path) -> None:
    for start in ends:
        way = [start]
        while (following := ends.get(way[-1])) is not None:
            if following in way:
                circle = " → ".join([*way[way.index(following) :], following])
                raise ConfigurationError(f"{path}: requests lead in a circle, {circle}: one of them must stay")
            way.append(following)


def same_requests_of(
    lines: Iterable[SameRequest], keys: Mapping[str, str], merged_keys: Mapping[str, str]
) -> SameRequests:
    """Tell what the lines mean for the requests that were read: `keys` is key → id, `merged_keys` of merged ones.

    A line whose request, or whose end, is not there is no pair: nothing is guessed.
    """
    pairs, problems = [], []
    for one in lines:
        if one.request in merged_keys and one.request not in keys:
            problems.append((one.request, MERGED))
        elif one.request not in keys:
            problems.append((one.request, NOT_READ))
        elif (end := keys.get(one.same_as) or merged_keys.get(one.same_as)) is None:
            problems.append((one.request, f"{one.same_as}, which it is said to be the same as, {NOT_READ}"))
        else:
            pairs.append((keys[one.request], end))
    return SameRequests(tuple(pairs), tuple(problems))


def told(pairs: Collection[tuple[str, str]]) -> str:
    """One line for people about requests that count as others."""
    named = ", ".join(f"{request} as {same_as}" for request, same_as in sorted(pairs)[:3])
    more = f" and {len(pairs) - 3:,} more" if len(pairs) > 3 else ""
    counts = "request counts as another" if len(pairs) == 1 else "requests count as others"
    return f"{len(pairs):,} {counts}, as the file of same requests says: {named}{more}"
