"""Choice of the side to read the links of given pairs from: a list of links is read whole, a page at a time. Pure.

Reading a request with 6,000 voters to see two thousand of them takes twelve pages; reading those two thousand contacts,
who have a few requests each, takes two calls. The other way round for a company that is in very many requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

Pair = tuple[str, str]
"""Id of our record, id of the company or contact."""


class ReadLimits(msgspec.Struct, frozen=True):
    """Most records that one read of links may name, and most links of each that one answer brings."""

    ids_per_read: int = 1_000
    links_per_page: int = 500


class Reads(msgspec.Struct, frozen=True):
    """`record_ids` are read from our side, `pairs` from the other; `calls` is what that takes."""

    record_ids: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    calls: int = 0


def plan_reads(
    pairs: Sequence[Pair], record_links: Mapping[str, int], target_links: Mapping[str, int], limits: ReadLimits
) -> Reads:
    """The cheapest way to read the links of `pairs`; `record_links` and `target_links` say how many each end has.

    Either all is read from one side, or from ours all but the records whose links do not fit into one page.
    """
    records = list(dict.fromkeys(record_id for record_id, _ in pairs))
    # one page is read with many other records in one call: only what is longer may be cheaper from the other end
    hot = {record_id for record_id in records if record_links.get(record_id, 0) > limits.links_per_page}
    light = [record_id for record_id in records if record_id not in hot]
    of_hot = [pair for pair in pairs if pair[0] in hot]
    ways = [Reads(tuple(records), (), _calls(records, record_links, limits))]
    # three ways are weighed, not every mix: the other side pays off for long lists or for all
    for from_records, from_targets in ((light, of_hot), ([], list(pairs))):
        calls = _calls(from_records, record_links, limits)
        calls += _calls({target_id for _, target_id in from_targets}, target_links, limits)
        ways.append(Reads(tuple(from_records), tuple(from_targets), calls))
    # of equal ways the first, from our side, which is the simplest to read
    return min(ways, key=lambda way: way.calls)


def in_order(ids: Iterable[str], links: Mapping[str, int]) -> list[str]:
    """Ids with most links first: what takes several pages shares its calls with its like."""
    return sorted(ids, key=lambda one: (-links.get(one, 0), one))


def _calls(ids: Iterable[str], links: Mapping[str, int], limits: ReadLimits) -> int:
    """Calls to read the links of these: as many as the one with most takes, for each lot of ids."""
    sizes = sorted((links.get(one, 0) for one in ids), reverse=True)
    # a record without links takes a call as well; each lot is led by its longest list, as sorted
    return sum(max(1, -(-most // limits.links_per_page)) for most in sizes[:: limits.ids_per_read])
