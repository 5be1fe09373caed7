"""The mapping: where the relations of a table are, and which of its columns is which field. TOML, strict.

    [dates]
    format = "%d/%m/%Y %H:%M"

    [votes]
    file = "votes.csv"

    [votes.columns]
    request_id = "Idea"
    voter_email = "E-mail"
    created_at = "Voted on"

Nothing is guessed: dates and money are read in the declared format, columns by their declared name. What is wrong is
told by the place in the file.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from integration_assets.connectors.feedback.table.formats import (
    DateFormat,
    MoneyFormat,
    why_no_date_format,
    why_no_money_format,
)
from integration_assets.errors import ConfigurationError
from integration_assets.models import Status

FileType = Literal["csv", "tsv", "parquet", "json"]
DatabaseKind = Literal["duckdb", "sqlite", "postgresql"]
TYPE_OF_SUFFIX: Mapping[str, FileType] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
LARGEST_MAPPING = 256 * 1024
"""Bytes. A file beyond that is no mapping, but the table itself named by mistake."""


class Fields(msgspec.Struct, frozen=True):
    """Fields of one relation: those it must have, groups of which it must have at least one, and those it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All fields."""
        return (*self.required, *self.one_of, *self.optional)


RELATIONS: Mapping[str, Fields] = {
    "requests": Fields(
        required=("id", "title"),
        optional=(
            "status",
            "created_at",
            "url",
            "board",
            "category",
            "tags",
            "details",
            "merged_into",
            "author_id",
            "author_email",
            "status_changed_at",
        ),
        times=("created_at", "status_changed_at"),
    ),
    "votes": Fields(
        required=("request_id",),
        one_of=("voter_id", "voter_email", "account_id", "company_domain"),
        optional=("id", "created_at"),
        times=("created_at",),
    ),
    "people": Fields(required=("id",), optional=("email", "account_id")),
    "accounts": Fields(required=("id",), optional=("name", "domain", "mrr")),
    "status_changes": Fields(required=("request_id", "status"), optional=("id", "changed_at"), times=("changed_at",)),
    "companies": Fields(
        required=("id",),
        optional=("name", "domain", "additional_domains", "arr", "currency", "lifecycle_stage", "parent_id"),
    ),
}
"""The relations a mapping may describe. `companies` are no part of feedback: they stand in for a CRM that is not there,
or tell the ARR of companies that are in one."""
NEEDED = ("requests", "votes")


class Relation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One relation: either `file`, which may be a folder or an https address, or `select` on the database.

    `type` is for a file whose name does not tell it, `delimiter` and `encoding` for text that is not what it looks
    like. `columns`: field → column of the table.
    """

    columns: dict[str, str]
    file: str | None = None
    type: FileType | None = None
    encoding: str | None = None
    delimiter: str | None = None
    select: str | None = None

    @property
    def is_web(self) -> bool:
        """True if it is fetched from an address."""
        return self.file is not None and self.file.lower().startswith(("https:", "http:"))


class Dates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Format of dates that are text, and the zone of those that name none."""

    format: str = "iso"
    time_zone: str = "UTC"


class Money(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount as an example: `1,234.56`, `1.234,56`, `€1.234,56`."""

    format: str = "1234.56"


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The database SELECTs run on: a file, or for PostgreSQL the variable that holds its URL, password included."""

    kind: DatabaseKind
    file: str | None = None
    url_variable: str | None = None


class Freshness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Age in hours from which a file, or the newest vote, is told as stale; None: never."""

    file_hours: float | None = 48.0
    newest_vote_hours: float | None = None


class TableMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole mapping. `statuses`: word of the table → canonical status, beside the built-in words."""

    requests: Relation | None = None
    votes: Relation | None = None
    people: Relation | None = None
    accounts: Relation | None = None
    status_changes: Relation | None = None
    companies: Relation | None = None
    dates: Dates = Dates()
    money: Money = Money()
    database: Database | None = None
    freshness: Freshness = Freshness()
    statuses: dict[str, Status] = {}

    def relations(self) -> dict[str, Relation]:
        """The relations that are described, by name."""
        found = {name: getattr(self, name) for name in RELATIONS}
        return {name: relation for name, relation in found.items() if relation is not None}

    @property
    def date_format(self) -> DateFormat:
        """The declared format of dates."""
        return DateFormat(self.dates.format, self.dates.time_zone)

    @property
    def money_format(self) -> MoneyFormat:
        """The declared format of money."""
        return MoneyFormat.of(self.money.format)

    @property
    def digest(self) -> str:
        """Digest of all it says: another mapping reads another table."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


def read_mapping(path: Path, *, needs: tuple[str, ...] = NEEDED) -> TableMapping:
    """Read a mapping from its file; `needs` are the relations it cannot do without.

    Raises:
        ConfigurationError: the file cannot be read, or something in it cannot be used; names the place.
    """
    try:
        if path.stat().st_size > LARGEST_MAPPING:
            raise ConfigurationError(
                f"{path.name} is no mapping: it has more than {LARGEST_MAPPING // 1024} KiB. Name the TOML file that "
                "`integration-assets table init` writes, not the table"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"the mapping {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the mapping {path} cannot be read: it is not UTF-8 text") from None
    return parse_mapping(text, named=path.name, needs=needs)


def parse_mapping(text: str, *, named: str = "the mapping", needs: tuple[str, ...] = NEEDED) -> TableMapping:
    """Read a mapping from text; `named` is what messages call it.

    Raises:
        ConfigurationError: something in it cannot be used; names the place.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = A_BACKSLASH if "\\" in text else ""
        raise ConfigurationError(f"{named} is not TOML: {error}{hint}") from None
    try:
        mapping = msgspec.convert(raw, TableMapping)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{named}: {_in_words(str(error))}") from None
    if problem := _problem(mapping, needs):
        raise ConfigurationError(f"{named}: {problem}")
    return mapping


def _in_words(message: str) -> str:
    """A message of msgspec, which names the place by a path, as one that names the table of TOML."""
    said, _, path = message.partition(" - at `$")
    place = path.rstrip("`").lstrip(".").replace("[...]", "")
    said = said.replace("Object contains unknown field", "there is no setting").replace("Object missing", "missing")
    said = said.replace("`object`", "a table").replace("`str`", "text").replace("`float | null`", "a number")
    choices: Sequence[str] = ()
    if said.startswith("Invalid enum value"):
        choices = next((of for end, of in _CHOICES.items() if place.split(".")[-1] == end), ())
    said += f"; it is one of {', '.join(choices)}" if choices else ""
    return f"[{place}]: {said}" if place else said


_CHOICES: Mapping[str, Sequence[str]] = {
    "statuses": tuple(one.value for one in Status if one is not Status.UNKNOWN),
    "type": get_args(FileType),
    "kind": get_args(DatabaseKind),
}
"""Setting → its values, which the library's message does not name."""


def _problem(mapping: TableMapping, needs: tuple[str, ...]) -> str | None:
    relations = mapping.relations()
    if missing := [name for name in needs if name not in relations]:
        return f"there is no [{missing[0]}]: it says where the {missing[0]} are"
    for name, relation in relations.items():
        if problem := _problem_of_relation(name, relation, mapping.database):
            return problem
    if why := why_no_date_format(mapping.dates.format):
        return f"[dates].format: {why}"
    if why := why_no_time_zone(mapping.dates.time_zone):
        return f"[dates].time_zone: {why}"
    if why := why_no_money_format(mapping.money.format):
        return f"[money].format: {why}"
    if mapping.database is not None and (why := _problem_of_database(mapping.database)):
        return f"[database]: {why}"
    for name, hours in (
        ("file_hours", mapping.freshness.file_hours),
        ("newest_vote_hours", mapping.freshness.newest_vote_hours),
    ):
        if hours is not None and not 0 < hours < 1_000_000:
            return f"[freshness].{name}: must be a number of hours above zero"
    return None


def _problem_of_relation(name: str, relation: Relation, database: Database | None) -> str | None:
    fields = RELATIONS[name]
    if unknown := [field for field in relation.columns if field not in fields.names]:
        return f"[{name}.columns]: there is no field {unknown[0]}; fields are {', '.join(fields.names)}"
    if blank := [field for field, column in relation.columns.items() if not column.strip()]:
        return f"[{name}.columns].{blank[0]}: names no column; leave the line out where the table has none"
    if missing := [field for field in fields.required if field not in relation.columns]:
        return f"[{name}.columns]: {missing[0]} is missing: name the column that holds it"
    if fields.one_of and not any(field in relation.columns for field in fields.one_of):
        return f"[{name}.columns]: one of {', '.join(fields.one_of)} is needed: it says who voted"
    if (relation.file is None) == (relation.select is None):
        return f"[{name}]: either file or select is needed, and not both"
    if relation.select is not None:
        if database is None:
            return f"[{name}].select: needs a [database] that says where it runs"
        if given := [one for one in ("type", "encoding", "delimiter") if getattr(relation, one) is not None]:
            return f"[{name}].{given[0]}: is for files; a SELECT has none"
    return _problem_of_file(name, relation)


def _problem_of_file(name: str, relation: Relation) -> str | None:
    if relation.file is not None and not relation.file.strip():
        return f"[{name}].file: names no file"
    if relation.file is not None and relation.file.lower().startswith("http:"):
        return f"[{name}].file: must begin with https://"
    if relation.delimiter is not None and (len(relation.delimiter) != 1 or relation.delimiter in '"\r\n\0 '):
        return f'[{name}].delimiter: must be one character, such as ";" or "\\t"'
    if relation.encoding is not None and relation.encoding.lower() not in ENCODINGS:
        return f"[{name}].encoding: must be one of {', '.join(ENCODINGS)}"
    return None


A_BACKSLASH = "; in a path, write / or put it in single quotes, as \\ begins a sign of its own in double ones"
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1250", "windows-1251", "windows-1252", "iso-8859-1",
             "iso-8859-15", "mac-roman", "shift_jis", "gb18030", "euc-kr", "big5")  # fmt: skip
"""Encodings that office programs and databases write. By name only: a codec that is no text is none of them."""

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def _problem_of_database(database: Database) -> str | None:
    if database.kind == "postgresql":
        if database.file is not None or database.url_variable is None:
            return "PostgreSQL is reached by url_variable, the name of the environment variable that holds its URL"
        # The URL holds a password, and a mapping is a file that people commit.
        if not _VARIABLE.fullmatch(database.url_variable):
            return "url_variable must be the name of a variable, such as FEEDBACK_DATABASE_URL, and not the URL itself"
        return None
    if database.url_variable is not None or database.file is None or not database.file.strip():
        return f"{database.kind} is a file: name it by file"
    return None


def why_no_time_zone(name: str) -> str | None:
    """Say what a zone of dates must be; None where this is one."""
    if name in available_timezones() and _is_zone(name):
        return None
    return "must be a name such as Europe/Berlin, or UTC"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    # Names of zones come from a list of files, and one of them may be broken on this machine.
    except (OSError, ValueError):
        return False
    return True
