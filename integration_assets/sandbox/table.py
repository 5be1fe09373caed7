"""The sample's feedback as tables: the files somebody would have exported, with the mapping that describes them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from integration_assets.sandbox.canny.records import iso
from integration_assets.sandbox.canny.views import post as view_of
from integration_assets.sandbox.canny.workspace import Workspace

MAPPING = "feedback.toml"
RELATIONS = {
    "requests": (
        "id", "title", "status", "created_at", "url", "board", "category", "tags", "details", "merged_into",
        "author_id", "status_changed_at",
    ),
    "votes": ("id", "request_id", "voter_id", "created_at"),
    "people": ("id", "email", "account_id"),
    "accounts": ("id", "name", "domain", "mrr"),
    "status_changes": ("id", "request_id", "status", "changed_at"),
}  # fmt: skip
"""Relation → its columns, named as the fields they hold."""

Row = Sequence[object]


def write_tables(workspace: Workspace, folder: Path) -> Path:
    """Write all of a workspace's feedback as CSV files, with their mapping; return that."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (
        ("requests", _requests(workspace)),
        ("votes", _votes(workspace)),
        ("people", _people(workspace)),
        ("accounts", _accounts(workspace)),
        ("status_changes", _status_changes(workspace)),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(RELATIONS[name])
            writer.writerows(rows)
    path = folder / MAPPING
    path.write_text(mapping_of({name: f'file = "{name}.csv"' for name in RELATIONS}), encoding="utf-8")
    return path


CALLS = """[requests]
file = "calls.csv"

[requests.columns]
id = "idea"
title = "said"

[votes]
file = "calls_votes.csv"

[votes.columns]
request_id = "idea"
voter_email = "of"
"""
SAME = 3
"""Ideas of the calls that are the same as a request."""


def write_calls(workspace: Workspace, folder: Path, *, beside: str) -> tuple[Path, Path]:
    """Write ideas that customers named in calls, which are kept beside the requests of the system `beside`.

    Returns the mapping of the tables, and the file that says which of them are requests there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = [user.email for user in workspace.users.values() if user.email]
    posts = list(workspace.posts.values())[:10]
    _write(folder / "calls.csv", ("idea", "said"), [(f"call-{at}", post.title) for at, post in enumerate(posts)])
    voters = [(f"call-{at}", email) for at, _ in enumerate(posts) for email in people[at * 7 : at * 7 + 5]]
    _write(folder / "calls_votes.csv", ("idea", "of"), voters)
    same = folder / "same_requests.csv"
    pairs = [(f"table:call-{at}", f"{beside}:{post.id}", "") for at, post in enumerate(posts[:SAME])]
    _write(same, ("request", "same_as", "note"), pairs)
    path = folder / MAPPING
    path.write_text(CALLS, encoding="utf-8")
    return path, same


def _write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def mapping_of(sources: dict[str, str], rest: str = "") -> str:
    """A mapping of these relations; `sources` are their lines that say where each is."""
    parts = []
    for name, source in sources.items():
        columns = "\n".join(f'{column} = "{column}"' for column in RELATIONS[name])
        parts.append(f"[{name}]\n{source}\n\n[{name}.columns]\n{columns}\n")
    return "\n".join([*parts, rest])


def _requests(workspace: Workspace) -> Iterable[Row]:
    for post in workspace.posts.values():
        seen = view_of(workspace, post)
        changed = None if post.status_changed_at is None else iso(post.status_changed_at)
        board, category = workspace.boards[post.board_id].name, seen["category"] and seen["category"]["name"]
        tags = "; ".join(tag["name"] for tag in seen["tags"])
        yield (
            post.id, post.title, post.status, iso(post.created), seen["url"], board, category, tags, post.details, "",
            post.author_id, changed,
        )  # fmt: skip
        for merged in post.merge_history:
            yield (merged.id, merged.title, "", iso(merged.created), "", board, "", "", merged.details, post.id, "", "")


def _votes(workspace: Workspace) -> Iterable[Row]:
    for vote in workspace.votes.values():
        yield vote.id, vote.post_id, vote.voter_id, iso(vote.created)


def _people(workspace: Workspace) -> Iterable[Row]:
    for user in workspace.users.values():
        known = [one for one in user.company_ids if one in workspace.companies]
        for account_id in known or [""]:
            yield user.id, user.email, account_id


def _accounts(workspace: Workspace) -> Iterable[Row]:
    for company in workspace.companies.values():
        yield company.id, company.name, company.domain, company.monthly_spend


def _status_changes(workspace: Workspace) -> Iterable[Row]:
    for change in workspace.status_changes.values():
        yield change.id, change.post_id, change.status, iso(change.created)
