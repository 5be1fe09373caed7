"""The analyst's mappings: a CSV file `match,company_id,note`, read whole, checked row by row, written whole.

`match` is an e-mail address, or a domain that stands for its sub-domains too. The file can be committed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable
from itertools import pairwise
from pathlib import Path

import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.invisible import strip
from integration_assets.mail_addresses import address_key, to_host
from integration_assets.resolution.domains import Kind, MailDomains, registrable_domain, without_www
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets.resolution.mapping_files import mapping_rows
from integration_assets.whole_files import write_whole

HEADER = ("match", "company_id", "note")


_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+")
_WHOLE_NUMBER = re.compile(r"'?([0-9]+)(?:[.,]0+)?")
"""An id as spreadsheets show it: with decimals that are none, or with the apostrophe that keeps it a text."""
_TEXT_FORMULA = re.compile(r'="([^"]*)"')
"""The formula by which exports keep a spreadsheet from taking an id for a number."""
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,.\u00a0\u202f ' ])[0-9]{3})(?:\1[0-9]{3})+")
"""An id with its thousands set apart; with one separator only it may as well be a decimal number."""
_COMPANY_PATHS = frozenset({"company", "companies", "0-2", "account", "accounts"})
"""Path segments before the id in the address of a company's page in a CRM."""


class Override(msgspec.Struct, frozen=True):
    """One mapping. `match` is an address or a domain, in any spelling.

    `repair` says, for people, how the company id was written where it was not read as it stands.
    """

    match: str
    company_id: str
    note: str = ""
    repair: str = ""


def company_id_of(text: str) -> tuple[str, str | None]:
    """Read the id of a company as people paste it: what it is, and what is wrong with it where it is none.

    An id with decimals, set-apart thousands or an apostrophe, and the address of the company's page, lead to the id.
    """
    bare = strip(text)
    if formula := _TEXT_FORMULA.fullmatch(bare):
        bare = strip(formula[1])
    # Before the other numbers: digits are lost here, and a guess would credit another company.
    if _SCIENTIFIC.fullmatch(bare):
        return bare, (
            f"company id {bare} was rewritten by a spreadsheet, and its last digits are lost: "
            "format the column as text, and paste the id again"
        )
    # The query and fragment go first: they may hold ids of views and tabs.
    # Some browsers leave the scheme out when an address is copied.
    if "/" in bare:
        segments = (bare.partition("://")[2] or bare).partition("?")[0].partition("#")[0].split("/")[1:]
        for before, after in pairwise(segments):
            # Not merely the last segment: the portal's id stands in the address too.
            if before.lower() in _COMPANY_PATHS and after.isalnum():
                return after, None
        return bare, "the company id is an address that is not of a company's page: paste the company's id"
    if number := _WHOLE_NUMBER.fullmatch(bare):
        return number[1], None
    if _GROUPED.fullmatch(bare):
        return "".join(filter(str.isdigit, bare)), None
    return bare, None


def normalised_match(match: str) -> str | None:
    """The address (with `@`) or ASCII domain a mapping is for; None when it is neither. `@acme.com` is a domain."""
    text = strip(match).removeprefix("@")
    if "@" in text:
        return address_key(text)
    host = to_host(text)
    return without_www(host) if host else None


def override_problem(override: Override, domains: MailDomains) -> str | None:
    """Find the reason why this mapping can never be used, or None."""
    match = normalised_match(override.match)
    if match is None:
        return "neither an e-mail address nor a domain"
    if not strip(override.company_id):
        return "no company id"
    if problem := company_id_of(override.company_id)[1]:
        return problem
    host = to_host(match.rpartition("@")[2])
    registrable = registrable_domain(host) if host else None
    # A mapping of `co.uk` would take every company below it.
    if "@" not in match and registrable is None:
        return "a public suffix, not the domain of one company"
    kind = domains.kind_of_address(match, host, registrable) if host else Kind.MALFORMED
    if kind is Kind.OWN:
        return "the tenant's own staff, never matched"
    # A single private address may be mapped; the whole provider would bring in strangers.
    if kind is Kind.PERSONAL and "@" not in match:
        return (
            f"a personal mail domain cannot be mapped: map single addresses, or, if all mail at {match} is one "
            f"company's, add {match} to INTEGRATION_ASSETS_BUSINESS_DOMAINS (`business_domains` of a tenant) first"
        )
    return None


def company_id_repair(written: str) -> str:
    """Say how a company id is read that a spreadsheet changed, or that is an address; empty where it stands."""
    shown, (read, _) = strip(written), company_id_of(written)
    return f"company id {shown} was read as {read}" if read != shown else ""


def read_overrides(
    path: Path, *, personal_domains: Iterable[str] = (), business_domains: Iterable[str] = ()
) -> tuple[Override, ...]:
    """The mappings of a file, normalised, in its order; none when there is no file.

    `personal_domains` and `business_domains` are the tenant's additions to and exceptions from the lists of personal
    mail domains.

    Raises:
        ConfigurationError: the file cannot be read, or a row is wrong; names file and line, never an address.
    """
    if not path.exists():
        return ()
    domains = mail_domains(personal=personal_domains, business=business_domains)
    found: dict[str, tuple[int, Override]] = {}
    for line, row in mapping_rows(path, HEADER):
        override = _parsed(row, domains, path, line)
        above, earlier = found.setdefault(override.match, (line, override))
        # The same mapping twice does no harm; two companies for one match would depend on the order of lines.
        if earlier.company_id != override.company_id:
            raise ConfigurationError(
                f"{path} line {line}: the same match is mapped to another company above (line {above}), keep one"
            )
    return tuple(override for _, override in found.values())


def add_override(
    path: Path,
    override: Override,
    *,
    personal_domains: Iterable[str] = (),
    business_domains: Iterable[str] = (),
) -> tuple[Override, ...]:
    """Add a mapping to the file, or replace the one with the same match. Returns all mappings now in the file.

    Raises:
        ConfigurationError: the mapping is wrong, or the file is.
    """
    mappings = read_overrides(path, personal_domains=personal_domains, business_domains=business_domains)
    domains = mail_domains(personal=personal_domains, business=business_domains)
    problem = override_problem(override, domains)
    if problem:
        raise ConfigurationError(f"override not added: {problem}")
    added = _normalised(override)
    kept = tuple(mapping for mapping in mappings if mapping.match != added.match)
    return write_overrides(path, (*kept, added))


def remove_override(
    path: Path, match: str, *, personal_domains: Iterable[str] = (), business_domains: Iterable[str] = ()
) -> tuple[Override, ...]:
    """Take the mapping with this match out of the file. Returns the mappings left.

    Raises:
        ConfigurationError: there is no such mapping, or the file is wrong.
    """
    mappings = read_overrides(path, personal_domains=personal_domains, business_domains=business_domains)
    kept = tuple(mapping for mapping in mappings if mapping.match != normalised_match(match))
    if len(kept) == len(mappings):
        raise ConfigurationError(f"{path} has no override with this match, see the list of overrides")
    return write_overrides(path, kept)


def write_overrides(path: Path, overrides: Collection[Override]) -> tuple[Override, ...]:
    """Replace the file in one step: a reader sees the old mappings or the new ones, never half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((override.match, override.company_id, override.note) for override in overrides)
    write_whole(path, text.getvalue().encode())
    return tuple(overrides)


def _parsed(row: list[str], domains: MailDomains, path: Path, line: int) -> Override:
    where = f"{path} line {line}"
    override = Override(*row)
    problem = override_problem(override, domains)
    if problem:
        raise ConfigurationError(f"{where}: {problem}")
    read, repair = _normalised(override), company_id_repair(override.company_id)
    return msgspec.structs.replace(read, repair=f"{path.name} line {line}: {repair}, write it so") if repair else read


def _normalised(override: Override) -> Override:
    return Override(
        match=normalised_match(override.match) or "",
        company_id=company_id_of(override.company_id)[0],
        note=strip(override.note),
    )
