"""What resolution and ranking must come to, slowly: one vote, one voter, one company at a time, in plain Python.

Written from the rules alone. It shares the parsing of an address and of a domain field with the product
(those have examples of their own), and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from integration_assets.mail_addresses import address_key
from integration_assets.resolution.addresses import Address, parse_address
from integration_assets.resolution.domains import clean_company_hosts
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.resolution.worlds import AS_OF, World

OPEN = {"open", "under_review", "planned", "in_progress", "on_hold", "unknown"}


class Reference:
    """One world, resolved and ranked. Merges in the world are chains without circles or forks."""

    def __init__(self, world: World, settings: ResolutionSettings) -> None:
        self.world = {name: list(rows) for name, rows in world.items()}
        self.settings = settings
        self.lists = settings.mail_domains()
        self.companies = {row["company_id"]: row for row in self.world["crm_companies"]}
        self.hosts = {company_id: self._hosts(row) for company_id, row in self.companies.items()}
        self.accounts = {row["account_id"]: row for row in self.world["accounts"]}
        self.emails = {row["voter_id"]: row["email"] for row in self.world["voters"]}
        self.votes = self._votes()
        self.arr = {company_id: self._arr(company_id) for company_id in self.companies}

    # -- companies

    def _hosts(self, row: Mapping[str, Any]) -> set[str]:
        fields = [row["domain"], *row["additional_domains"]]
        return {one.host for field in fields for one in clean_company_hosts(field, self.lists) if one.host}

    def _personal_hosts(self, row: Mapping[str, Any]) -> set[str]:
        """Personal mail domains a company has for its own."""
        found = [
            one
            for field in (row["domain"], *row["additional_domains"])
            for one in clean_company_hosts(field, self.lists)
        ]
        return {one.problem_host for one in found if one.problem == "personal_domain" and one.problem_host}

    def with_personal_domain(self, address: Address) -> list[str]:
        """Companies whose own domain is that of a personal address: its host, else its registrable domain."""
        for name in (address.host, address.registrable_domain):
            found = [key for key, row in self.companies.items() if name in self._personal_hosts(row)]
            if found:
                return sorted(found)
        return []

    def named_by(self, field: str | None) -> set[str]:
        """Companies at any host of a domain field, else at a registrable domain of one."""
        cleaned = clean_company_hosts(field, self.lists)
        at_hosts = {company for one in cleaned for company in self.at_host(one.host)}
        return at_hosts or {company for one in cleaned for company in self.at_host(one.registrable_domain)}

    def survivor(self, company_id: str | None) -> str | None:
        for row in self.companies.values():
            if company_id == row["company_id"] or company_id in row["merged_ids"]:
                return str(row["company_id"])
        return None

    def at_host(self, host: str | None) -> set[str]:
        return {company_id for company_id, hosts in self.hosts.items() if host and host in hosts}

    def ancestors(self, company_id: str) -> set[str]:
        found: set[str] = set()
        parent = self.survivor(self.companies[company_id]["parent_id"])
        while parent and parent not in found:
            found.add(parent)
            parent = self.survivor(self.companies[parent]["parent_id"])
        return found

    def ancestor_of_all(self, candidates: set[str]) -> str | None:
        tops = [one for one in candidates if all(one in self.ancestors(other) for other in candidates - {one})]
        return tops[0] if len(tops) == 1 else None

    def earns(self, company_id: str) -> bool:
        value = figure(self.companies[company_id]["arr"])
        return value is not None and value > 0

    # -- votes

    def account_companies(self, account_id: str) -> set[str]:
        by_id: set[str | None] = set()
        if self.settings.account_id_is_record_id:
            by_id = {self.survivor(account_id)}
        elif self.settings.account_id_mapped:
            by_id = {key for key, row in self.companies.items() if row["account_id"] == account_id}
        if by_id - {None}:
            return {key for key in by_id if key}
        return self.named_by(self.accounts.get(account_id, {}).get("domain"))

    def pointed_to(self, voter_id: str) -> set[str]:
        found: set[str] = set()
        for row in self.world["voter_accounts"]:
            if row["voter_id"] == voter_id:
                found |= self.account_companies(row["account_id"])
        return found

    def evidence(self, voter_id: str) -> Iterable[tuple[str, set[str]]]:
        address = parse_address(self.emails.get(voter_id), self.lists)
        yield "override", self.mapped(address.address if address.address and "@" in address.address else None)
        if address.kind == "business" and address.host:
            labels = address.host.split(".")
            for start in range(len(labels)):
                yield "override", self.mapped(".".join(labels[start:]))
        yield "contact", self.contact_companies(address.address)
        if address.kind == "business":
            yield "host", self.at_host(address.host)
            yield "registrable_domain", self.at_host(address.registrable_domain)
        yield "account", self.pointed_to(voter_id)

    def mapped(self, match: str | None) -> set[str]:
        found = {self.survivor(one.company_id) for one in self.settings.overrides if match and one.match == match}
        return {key for key in found if key}

    def contact_companies(self, address: str | None) -> set[str]:
        found: set[str | None] = set()
        for row in self.world["crm_contacts"]:
            emails = {address_key(email) for email in [row["email"], *row["additional_emails"]] if email}
            if address and "@" in address and address in emails:
                found.add(self.survivor(row["primary_company_id"]))
        return {key for key in found if key}

    def company_of(self, voter_id: str | None) -> tuple[str | None, str, list[str]]:
        """Company and method, or None, reason and candidates."""
        if voter_id is None:
            return None, "no_email", []
        address = parse_address(self.emails.get(voter_id), self.lists)
        kind = address.kind
        # single addresses by themselves, as they are written here in nearly the same spelling as in the settings
        if kind == "own" or address.address in {entry.lower() for entry in self.settings.own_domains}:
            return None, "own_staff", []
        for method, candidates in self.evidence(voter_id):
            if candidates:
                chosen = self.choose(voter_id, method, candidates)
                reason = "ambiguous_account" if method == "account" else "ambiguous_domain"
                return (chosen, method, []) if chosen else (None, reason, sorted(candidates))
        reasons = {"none": "no_email", "malformed": "malformed_email", "personal": "personal_email"}
        claimants = self.with_personal_domain(address) if kind == "personal" else []
        return None, reasons.get(kind, "unknown_domain"), claimants

    def choose(self, voter_id: str, method: str, candidates: set[str]) -> str | None:
        if len(candidates) == 1:
            return next(iter(candidates))
        pointed = candidates & self.pointed_to(voter_id) if method != "account" else set()
        if len(pointed) == 1:
            return pointed.pop()
        earning = [one for one in candidates if self.earns(one)]
        top = self.ancestor_of_all(candidates)
        if top and (self.earns(top) or not earning):
            return top
        return earning[0] if len(earning) == 1 else top

    def final_request(self, request_id: str) -> str:
        merged = {row["merged_request_id"]: row["request_id"] for row in self.world["merge_aliases"]}
        while request_id in merged:
            request_id = merged[request_id]
        return request_id

    def requests(self) -> list[Mapping[str, Any]]:
        return [
            row for row in self.world["feature_requests"] if self.final_request(row["request_id"]) == row["request_id"]
        ]

    def _votes(self) -> list[dict[str, Any]]:
        known = {row["request_id"] for row in self.requests()}
        kept: dict[Any, dict[str, Any]] = {}
        for row in sorted(self.world["votes"], key=lambda one: (*dated(one["created_at"]), one["vote_id"])):
            request_id = self.final_request(row["request_id"])
            if request_id not in known:
                continue
            company_id, how, candidates = self.company_of(row["voter_id"])
            address = parse_address(self.emails.get(row["voter_id"] or ""), self.lists)
            kept.setdefault(
                (request_id, row["voter_id"]) if row["voter_id"] else row["vote_id"],
                {
                    "vote_id": row["vote_id"],
                    "request_id": request_id,
                    "voter_id": row["voter_id"],
                    "created_at": row["created_at"],
                    "company_id": company_id,
                    "match_method": how if company_id else None,
                    "reason": None if company_id else how,
                    "email_domain": address.registrable_domain or address.host,
                    "candidate_company_ids": candidates,
                },
            )
        return sorted(kept.values(), key=lambda vote: str(vote["vote_id"]))

    # -- revenue

    def _arr(self, company_id: str) -> Decimal | None:
        for source in self.settings.arr_sources:
            values = [value for text in self._figures(source, company_id) if (value := figure(text)) is not None]
            if values:
                return sum(values, Decimal(0)) * (12 if source == "accounts" else 1)
        return None

    def _figures(self, source: str, company_id: str) -> list[str | None]:
        if source == "crm":
            return [self.companies[company_id]["arr"]]
        if source == "accounts":
            return [
                row["monthly_spend"]
                for row in self.world["accounts"]
                if self.owner(self.account_companies(row["account_id"])) == company_id
            ]
        found = []
        for row in self.world["internal_accounts"]:
            named = self.survivor(row["company_id"])
            led = {named} if named else self.named_by(row["domain"])
            if self.owner({key for key in led if key}) == company_id:
                found.append(row["arr"])
        return found

    def owner(self, candidates: set[str]) -> str | None:
        return next(iter(candidates)) if len(candidates) == 1 else self.ancestor_of_all(candidates)

    # -- ranking

    def ranking(self) -> list[dict[str, Any]]:
        """`ranked.feature_requests` in order of rank by ARR, without the columns taken over as they are."""
        total = sum(
            ((self.arr[key] or Decimal(0)) for key in {vote["company_id"] for vote in self.votes} - {None}), Decimal(0)
        )
        found = [self._ranked(row, total) for row in self.requests()]
        ends = {row["request_id"]: (*dated(row["created_at"]), row["request_id"]) for row in self.requests()}
        for name, order in {
            "rank_by_arr": ("arr", "companies", "votes"),
            "rank_by_companies": ("companies", "arr", "votes"),
            "rank_by_votes": ("votes", "companies", "arr"),
        }.items():
            found.sort(key=lambda row, order=order: (*(-row[key] for key in order), *ends[row["request_id"]]))  # type: ignore[misc]  # mypy takes the default for a second argument
            for place, row in enumerate(found, start=1):
                row[name] = place
        for row in found:
            row["rank_gap"] = row["rank_by_votes"] - row["rank_by_arr"]
        return sorted(found, key=lambda row: int(row["rank_by_arr"]))

    def _ranked(self, row: Mapping[str, Any], total: Decimal) -> dict[str, Any]:
        votes = [vote for vote in self.votes if vote["request_id"] == row["request_id"]]
        recent = [
            vote for vote in votes if vote["created_at"] and AS_OF - timedelta(days=30) <= vote["created_at"] <= AS_OF
        ]
        companies = {vote["company_id"] for vote in votes} - {None}
        arr = sum(((self.arr[key] or Decimal(0)) for key in companies), Decimal(0))
        moments = [vote["created_at"] for vote in votes if vote["created_at"]]
        return {
            "request_id": row["request_id"],
            "is_open": row["status"] in OPEN,
            "votes": len(votes),
            "voters": len({vote["voter_id"] for vote in votes} - {None}),
            "companies": len(companies),
            "customers": len([key for key in companies if self.is_customer(key)]),
            "arr": arr,
            "companies_without_arr": len([key for key in companies if self.arr[key] is None]),
            "companies_without_rate": 0,  # these worlds know one currency; rates have examples of their own
            "votes_30d": len(recent),
            "companies_30d": len({vote["company_id"] for vote in recent} - {None}),
            "first_vote_at": min(moments, default=None),
            "last_vote_at": max(moments, default=None),
            "unresolved_votes": len([vote for vote in votes if vote["company_id"] is None]),
            "voter_domains": self.voter_domains(votes),
            "arr_share": float(arr / total) if total else 0.0,
        }

    def is_customer(self, company_id: str) -> bool:
        return self.companies[company_id]["lifecycle_stage"] == "customer" or (self.arr[company_id] or 0) > 0

    def voter_domains(self, votes: Iterable[Mapping[str, Any]]) -> list[str]:
        addresses = [parse_address(self.emails.get(vote["voter_id"]), self.lists) for vote in votes]
        domains = {one.registrable_domain for one in addresses if one.kind == "business"}
        return sorted(domain for domain in domains if domain)


def figure(text: str | None) -> Decimal | None:
    """A usable figure, or None. The worlds hold plain integers, junk and negative numbers."""
    return Decimal(text) if text is not None and text.isdecimal() else None


def dated(moment: Any) -> tuple[bool, Any]:
    """Sort key of a moment: unknown ones last."""
    return (moment is None, moment or AS_OF)
