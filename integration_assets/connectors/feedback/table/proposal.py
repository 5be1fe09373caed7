"""A mapping proposed from the names of columns and the shape of their values, for a person to look at.

A proposal is never used unseen: it is written as a file that says where each field comes from, and what was left out.
What can be read two ways is left open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from integration_assets.connectors.feedback.table.mapping import RELATIONS, Dates, Money, Relation, TableMapping
from integration_assets.connectors.feedback.table.samples import Sample
from integration_assets.connectors.feedback.table.writing import HEAD, quoted
from integration_assets.errors import ConfigurationError

_WORDS: Mapping[str, Mapping[str, str]] = {
    "requests": {
        "id": "request id|idea id|post id|feature id|suggestion id|id|key|number|ref|idea",
        "title": "title|idea title|request title|post title|feature title|idea name|feature|summary|subject|name|idea",
        "status": "status|state|workflow status|stage|idea status|post status",
        "created_at": "created at|created|created on|created date|creation date|submitted at|opened at|date|when",
        "url": "url|link|permalink|idea url|post url|web url",
        "board": "board|board name|forum|forum name|project|portal|product",
        "category": "category|categories|category name|theme|area",
        "tags": "tags|labels|tag|label|tag names",
        "details": "details|description|body|content|text",
        "merged_into": "merged into|merged into id|duplicate of|canonical post id|merged to",
        "author_id": "author id|creator id|submitter id",
        "author_email": "author email|creator email|submitter email|created by email|author",
        "status_changed_at": "status changed at|status changed|closed at|status updated at",
    },
    "votes": {
        "request_id": "request id|idea id|post id|feature id|suggestion id|feature request id|idea|request|post",
        "voter_email": "voter email|email|e mail|email address|mail|user email|supporter email|customer email|voter",
        "voter_id": "voter id|user id|supporter id|person id|contact id|customer id",
        "account_id": "account id|organization id|organisation id|company id|customer account id",
        "company_domain": "company domain|domain|website|company website|account domain",
        "created_at": "voted at|voted on|vote date|voted|created at|created|created on|date|timestamp|when",
        "id": "vote id",
    },
    "people": {
        "id": "person id|user id|voter id|contact id|id",
        "email": "email|e mail|email address|mail|user email",
        "account_id": "account id|organization id|organisation id|company id",
    },
    "accounts": {
        "id": "account id|organization id|organisation id|id",
        "name": "account name|name|account|organization|organisation|company",
        "domain": "domain|website|site|company domain|url",
        "mrr": "mrr|monthly spend|monthly revenue|monthly recurring revenue",
    },
    "companies": {
        "id": "company id|record id|crm id|hubspot id|salesforce id|account id|id",
        "name": "company name|company|name|account name",
        "domain": "domain|company domain|website|company domain name|website url",
        "additional_domains": "additional domains|other domains|domains",
        "arr": "arr|annual recurring revenue|annual revenue|contract value|acv|yearly revenue",
        "currency": "currency|currency code|arr currency",
        "lifecycle_stage": "lifecycle stage|lifecycle|type",
        "parent_id": "parent id|parent company id|parent account id",
    },
    "status_changes": {
        "request_id": "request id|idea id|post id|feature id|suggestion id|idea",
        "status": "status|new status|to status|to|state",
        "changed_at": "changed at|changed on|created at|date|at|timestamp",
        "id": "change id|status change id|id",
    },
}
"""Field → names that columns of exports have for it, the most telling first, in lower case without punctuation."""
_FILE_NAMES: Mapping[str, str] = {
    "votes": r"vot|support|upvot|endorse",
    "status_changes": r"status|history|changes",
    "companies": r"compan|customer|crm",
    "accounts": r"account|organi[sz]ation",
    "people": r"people|person|user|contact|voter",
    "requests": r"request|idea|post|feature|suggestion|feedback",
}
_ISO = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?")
_DATE_PARTS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %d %Y",
)  # fmt: skip
_TIME_PARTS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", ", %I:%M %p")
_AMOUNT = re.compile(r"(?P<before>\D{0,3}?)-?(?P<number>\d[\d.,' \u00a0\u202f]*)(?P<after>\D{0,3})")


class Proposal(msgspec.Struct, frozen=True):
    """A mapping, as it is and as TOML, what is still `open` in it, and `notes` for the person who looks at it.

    Where the format of dates is open, that of `mapping` is "", which no mapping may have.
    """

    mapping: TableMapping
    text: str
    open: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def propose(samples: Sequence[Sample], folder: Path, *, dates: str | None = None) -> Proposal:
    """Propose a mapping of these files, to be written into `folder`. `dates` is the format a person declared.

    Raises:
        ConfigurationError: the requests or the votes are in none of them; says what is missing.
    """
    relations: dict[str, tuple[Sample, dict[str, str]]] = {}
    for one in samples:
        for name in _relations_of(one, taken=relations):
            relations[name] = (one, fitting(name, one))
    _know_requests_by_title(relations, samples)
    _check_whole(relations, samples)
    _tell_apart(relations)
    formats = {
        field_of: date_formats(one.cells(columns[field]))
        for name, (one, columns) in relations.items()
        for field in RELATIONS[name].times
        if field in columns and columns[field] not in one.times
        for field_of in [f"{name}.{field}"]
    }
    chosen, still_open = _one_format(formats, dates)
    parts = [HEAD]
    if chosen != "iso":
        parts.append(f"[dates]\nformat = {quoted(chosen)}\n")
    money, notes = _money(relations)
    if money:
        parts.append(f"[money]\nformat = {quoted(money)}\n")
    parts.extend(_toml_of(name, *relations[name], folder) for name in RELATIONS if name in relations)
    parts.extend(f"# {line}\n" for line in still_open)
    said = [note for one in samples for note in one.notes]
    described = {
        name: Relation(file=_relative(one.path, folder), columns=columns) for name, (one, columns) in relations.items()
    }
    bare = TableMapping(dates=Dates(format=chosen), money=Money(format=money) if money else Money())
    mapping = msgspec.structs.replace(bare, **described)
    return Proposal(mapping, "\n".join(parts), tuple(still_open), (*said, *notes))


def fitting(relation: str, one: Sample) -> dict[str, str]:
    """Field → the column that fits it best by its name; a column is one field only."""
    names = {column: re.sub(r"[\W_]+", " ", column).strip().lower() for column in one.header}
    found: dict[str, str] = {}
    wanted = {field: words.split("|") for field, words in _WORDS[relation].items()}
    # By how telling the name is, and not field by field: a column called `id` is left to whom it fits best.
    for rank in range(max(map(len, wanted.values()))):
        for field, words in wanted.items():
            if field in found or rank >= len(words):
                continue
            column = next((one for one in names if names[one] == words[rank] and one not in found.values()), None)
            if column is not None:
                found[field] = column
    if relation == "votes":
        # A name under such a heading is no address, and would be a person without one.
        if "voter_email" in found and not _are_addresses(one.cells(found["voter_email"])):
            del found["voter_email"]
        # Whatever it is called: most of its cells are addresses.
        free = (column for column in one.header if column not in found.values())
        if "voter_email" not in found and (shaped := next((c for c in free if _are_addresses(one.cells(c))), None)):
            found["voter_email"] = shaped
    return {field: found[field] for field in RELATIONS[relation].names if field in found}


def _are_addresses(cells: Sequence[str]) -> bool:
    return bool(cells) and sum("@" in cell and " " not in cell for cell in cells) > len(cells) / 2


def _is_whole(relation: str, columns: Mapping[str, str]) -> bool:
    fields = RELATIONS[relation]
    return all(field in columns for field in fields.required) and (
        not fields.one_of or any(field in columns for field in fields.one_of)
    )


def _relations_of(one: Sample, taken: Mapping[str, object]) -> list[str]:
    """The relations a file holds: one, or the requests and the votes where each row is a vote with its request."""
    by_name = [name for name, words in _FILE_NAMES.items() if re.search(words, one.path.stem.lower())]
    whole = [name for name in RELATIONS if name not in taken and _is_whole(name, fitting(name, one))]
    first = next((name for name in by_name if name in whole), None)
    if first is None and {"requests", "votes"} <= set(whole):
        # Several rows of one request are votes for it; one row each may name its author.
        ids = one.cells(fitting("requests", one)["id"])
        first = "votes" if len(set(ids)) < len(ids) else "requests"
    if first is None:
        # The one most of whose fields are there.
        first = max(whole, key=lambda name: len(fitting(name, one)), default=None)
    if first == "votes" and "requests" in whole:
        columns = fitting("requests", one)
        # One column of ids for both: votes lead to the requests of the same file.
        if columns["id"] == fitting("votes", one)["request_id"]:
            return ["requests", "votes"]
    return [first] if first else []


def _know_requests_by_title(relations: dict[str, tuple[Sample, dict[str, str]]], samples: Sequence[Sample]) -> None:
    """Take the title for the id, where a file of votes has no other: a list of who asked for what, typed by hand."""
    if not relations:
        for one in samples:
            title, voters = fitting("requests", one).get("title"), fitting("votes", one)
            columns = {**voters, "request_id": title} if title is not None else voters
            if title is not None and _is_whole("votes", columns):
                relations["votes"] = (one, columns)
                relations["requests"] = (one, {**fitting("requests", one), "id": title, "title": title})
                return
    if "votes" in relations and "requests" not in relations:
        one, columns = relations["votes"]
        named = columns["request_id"]
        # Ids lead to another file, which is asked for.
        if sum(" " in cell for cell in one.cells(named)) > len(one.cells(named)) / 2:
            relations["requests"] = (one, {**fitting("requests", one), "id": named, "title": named})


def _tell_apart(relations: dict[str, tuple[Sample, dict[str, str]]]) -> None:
    """Leave to the votes what is theirs, where one file holds them and their requests: dates of votes, above all."""
    (one, columns), (other, votes) = relations["requests"], relations["votes"]
    if one is other:
        theirs = set(votes.values()) - {columns["id"]}
        kept = {field: column for field, column in columns.items() if column not in theirs or field == "title"}
        relations["requests"] = (one, kept)


def _check_whole(relations: Mapping[str, tuple[Sample, dict[str, str]]], samples: Sequence[Sample]) -> None:
    named = ", ".join(one.path.name for one in samples)
    if "votes" not in relations:
        raise ConfigurationError(
            f"no votes were found in {named}: a column must name the request (such as request_id), and one who voted "
            "(voter_email, voter_id, account_id or company_domain)"
        )
    if "requests" not in relations:
        raise ConfigurationError(
            f"no requests were found in {named}: a column must be their id, and one their title. Name their file as "
            "well: `integration-assets table init votes.csv requests.csv`"
        )


def date_formats(cells: Sequence[str]) -> tuple[str, ...]:
    """The formats in which every one of these cells is a date; several where they can be read several ways."""
    if not cells:
        return ("iso",)
    if all(_ISO.fullmatch(cell) for cell in cells):
        return ("iso",)
    if all(cell.isdigit() and len(cell) in (10, 13) for cell in cells):
        return ("unix" if len(cells[0]) == 10 else "unix_ms",)
    formats = (date + time for date in _DATE_PARTS for time in _TIME_PARTS)
    return tuple(written for written in formats if all(_fits(cell, written) for cell in cells))


def _fits(cell: str, written: str) -> bool:
    try:
        datetime.strptime(cell, written)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return True


def _one_format(formats: Mapping[str, tuple[str, ...]], declared: str | None) -> tuple[str, list[str]]:
    """The format of all columns of dates, and what is open; "" where it must be declared."""
    if declared is not None:
        return declared, []
    if not formats:
        return "iso", []
    shared = [one for one in next(iter(formats.values())) if all(one in others for others in formats.values())]
    if len(shared) == 1:
        return shared[0], []
    where = ", ".join(formats)
    if not shared:
        return "", [
            f"{where}: the dates have no one format that is known; declare [dates].format as strptime writes it"
        ]
    choice = " or ".join(f'"{one}"' for one in shared[:2])
    return "", [f"{where}: the dates can be read in several ways; declare [dates].format: {choice}"]


def _money(relations: Mapping[str, tuple[Sample, dict[str, str]]]) -> tuple[str | None, list[str]]:
    cells = [
        cell
        for name, field in (("accounts", "mrr"), ("companies", "arr"))
        if name in relations and field in relations[name][1]
        for cell in relations[name][0].cells(relations[name][1][field])
    ]
    found = {one for cell in cells if (one := _written(cell)) is not None}
    if len(found) == 1:
        [example] = found
        return (None if example == "1234.56" else example), []
    if not found:
        return None, []
    return None, ["amounts are written in several ways: look at [money].format, which is 1234.56 as it stands"]


def _written(cell: str) -> str | None:
    """The format of an amount; None where it may be any, as 500 is in all of them."""
    amount = _AMOUNT.fullmatch(cell)
    if amount is None:
        return None
    number = amount["number"].strip()
    signs = [sign for sign in number if not sign.isdigit()]
    before, after = amount["before"], amount["after"]
    if not signs:
        return f"{before}1234.56{after}" if before or after else None
    last, grouped = signs[-1], len(number.rpartition(signs[-1])[2]) == 3
    if len(set(signs)) == 2:
        return f"{before}1{signs[0]}234{last}56{after}"
    # 1,234 and 1.234 may be a thousand or one: only a group that is no group of three tells.
    if grouped or last not in ".,":
        return (
            f"{before}1{last}234{'.' if last != '.' else ','}56{after}" if len(signs) > 1 or last not in ".," else None
        )
    return f"{before}1234{last}56{after}"


def _toml_of(name: str, one: Sample, columns: Mapping[str, str], folder: Path) -> str:
    unused = [column for column in one.header if column not in columns.values()]
    lines = [f"[{name}]", f"file = {quoted(_relative(one.path, folder))}", "", f"[{name}.columns]"]
    lines += [f"{field} = {quoted(column)}" for field, column in columns.items()]
    if unused:
        lines.append(f"# not used: {', '.join(map(quoted, _first(unused, 20)))}")
    return "\n".join(lines) + "\n"


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _first(names: Iterable[str], most: int) -> list[str]:
    return list(names)[:most]
