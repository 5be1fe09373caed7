"""The columns of a table on the settings page, without JavaScript: proposed, looked at, corrected, saved."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.feedback.table import web_files
from integration_assets.connectors.feedback.table.mapping import read_mapping
from integration_assets.errors import PermanentError
from integration_assets.tenants.integrations import TENANTS_FILES
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.web.table_form import PATH, labels
from integration_assets.web.table_sources import asked_addresses
from integration_assets_tests.support.registries import ACTOR, tenant_id
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served
from integration_assets_tests.web.test_settings_pages import error_of, value_of, version_in

IDEAS = (
    "Idea ID,Idea Name,State,Created\nI-1,Dark mode of ann@acme.example,Shipped,13/01/2026\nI-2,Export,New,02/02/2026\n"
)
VOTES = "Idea ID,User Email,Voted At,Plan\nI-1,ann@acme.example,13/02/2026,pro\nI-2,bob@b.example,01/03/2026,free\n"
PICK = {"pick.0": "ideas.csv", "pick.1": "votes.csv"}


@pytest.fixture
def folder(pages: Served) -> Iterator[Path]:
    """globex's folder with two files; afterwards no table is left among its integrations."""
    made = pages.home / TENANTS_FILES / "globex"
    made.mkdir(parents=True, exist_ok=True)
    (made / "ideas.csv").write_text(IDEAS, encoding="utf-8")
    (made / "votes.csv").write_text(VOTES, encoding="utf-8")
    pages.site.tests.forget({"tenant": tenant_id(pages.registry, "globex")})
    yield made
    for one in made.iterdir() if made.is_dir() else ():
        one.unlink()
    with tenant_repository(pages.registry, tenant_id(pages.registry, "globex"), ACTOR) as repository:
        for view in repository.third_party_integrations():
            repository.remove_third_party(view.id)


def chosen(page: str, name: str) -> str:
    """The option of a select that is chosen."""
    [select] = re.findall(rf'<select id="{re.escape(name)}".*?</select>', page, re.DOTALL)
    found = re.findall(r'<option value="([^"]*)" selected>', select)
    return unescape(found[0]) if found else ""


def fields(page: str) -> dict[str, str]:
    """Everything a browser would send back."""
    selects = re.findall(r'<select id="([^"]+)"', page)
    inputs = re.findall(r'<input id="([^"]+)" [^>]*type="text"', page)
    return {**PICK, **{name: chosen(page, name) for name in selects}, **{name: value_of(page, name) for name in inputs}}


def test_columns_are_proposed_corrected_and_saved(pages: Served, gus: Client, folder: Path) -> None:
    """From the files to an integration that reads them, and back to the form to change one column."""
    assert PATH in gus.get("/settings/third-party/new?provider=table").text
    files = gus.get(PATH).text
    assert [name in files for name in ("ideas.csv", "votes.csv", "feedback.toml")] == [True, True, False]
    proposed = gus.post(PATH, {**PICK, "do": "propose"}).text
    typed = fields(proposed)
    assert {name: value for name, value in typed.items() if value and not name.startswith("pick")} == {
        "file.requests": "ideas.csv", "columns.requests.id": "Idea ID", "columns.requests.title": "Idea Name",
        "columns.requests.status": "State", "columns.requests.created_at": "Created", "file.votes": "votes.csv",
        "columns.votes.request_id": "Idea ID", "columns.votes.voter_email": "User Email",
        "columns.votes.created_at": "Voted At", "dates.format": "%d/%m/%Y", "dates.time_zone": "UTC",
        "money.format": "1234.56", "name": "feedback.toml",
    }  # fmt: skip
    # As they are read by it; whose address it is stands on no page.
    assert "Requests: 2 read" in proposed
    assert "Dark mode of [address]" in proposed
    assert "acme.example" in proposed
    assert "ann@" not in proposed

    shown = gus.post(PATH, {**typed, "columns.requests.board": "State", "do": "show"}).text
    assert "Shipped" in shown
    assert list(folder.glob("*.toml")) == []
    saved = gus.post(PATH, {**typed, "columns.requests.board": "State", "do": "save"})
    at, _, done = saved.headers["location"].partition("?")
    assert (saved.status_code, done) == (303, "done=columns")
    mapping = read_mapping(folder / "feedback.toml")
    assert mapping.requests is not None
    assert mapping.requests.columns["board"] == "State"
    with tenant_repository(pages.registry, tenant_id(pages.registry, "globex"), ACTOR) as repository:
        [view] = repository.third_party_integrations()
    assert (view.settings, at.rpartition("/")[2]) == ({"mapping": "feedback.toml"}, view.id)
    assert "table_mapping.write" in gus.get("/audit-trail").text

    # Words of statuses were added by hand: no field shows them, and they stay.
    text = (folder / "feedback.toml").read_text(encoding="utf-8")
    (folder / "feedback.toml").write_text(f'{text}\n[statuses]\n"Not now" = "closed"\n', encoding="utf-8")
    again = fields(gus.get(f"{PATH}?integration={view.id}").text)
    assert again["columns.requests.board"] == "State"
    assert "Propose the columns" in gus.get(f"{PATH}?integration={view.id}&files=other").text
    changed = gus.post(PATH, {**again, "integration": view.id, "columns.requests.board": "", "do": "save"})
    assert changed.status_code == 303, changed.text
    mapping = read_mapping(folder / "feedback.toml")
    assert mapping.requests is not None
    assert ("board" in mapping.requests.columns, mapping.statuses) == (False, {"Not now": "closed"})


SHEETS = "https://sheets.example"


def exported(answers: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer what is fetched, once the guard has let it pass, with a media type and a text; the addresses asked."""
    asked: list[str] = []

    async def fake(url: str, target: Path, *, guard: AddressGuard, **_: Any) -> str:
        guard.check(url, with_query=True)
        asked.append(url)
        if url not in answers:
            raise PermanentError("the file cannot be fetched: its address answers 404")
        kind, text = answers[url]
        await asyncio.to_thread(target.write_text, text, encoding="utf-8")
        return kind

    monkeypatch.setattr(web_files, "download", fake)
    return asked


def test_columns_behind_addresses_are_mapped_without_the_operator(
    pages: Served, gus: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed, proposed, looked at, saved with their types, changed later, and read by a run; never shown once saved."""
    for one in folder.iterdir():
        one.unlink()
    folder.rmdir()
    ideas = [{"Idea ID": "I-1", "Idea Name": "Dark mode of ann@acme.example", "Created": "13/01/2026"}]
    votes, requests, login = f"{SHEETS}/d/sesame/export?format=csv", f"{SHEETS}/sesame/ideas", f"{SHEETS}/login"
    answers = {
        votes: ("text/csv", VOTES),
        requests: ("application/json", json.dumps(ideas)),
        login: ("text/html", "<html>Sign in</html>"),
    }
    asked = exported(answers, monkeypatch)
    assert "Addresses" in gus.get(PATH).text
    refused = gus.post(PATH, {"addresses": f"{login}\r\nhttp://127.0.0.1/x\r\nftp://a.example/x", "do": "propose"})
    said = error_of(refused.text, "addresses")
    # Nothing is asked of anybody while one of them may not be asked; both are named.
    assert re.fullmatch(r"Address 2: .*; address 3: it must look like https://host/path", said), said
    assert asked == []
    wrong = gus.post(PATH, {"addresses": f"{login}\n{SHEETS}/gone?key=sesame", "do": "propose"})
    said = error_of(wrong.text, "addresses")
    assert re.search(r"Address 1: sheets\.example answers with a web page.*; address 2: .*answers 404", said), said

    proposed = gus.post(PATH, {"addresses": f"{votes}\r\n{requests}\r\n", "do": "propose"})
    assert "Requests: 1 read" in proposed.text, proposed.text
    assert "Dark mode of [address]" in proposed.text
    hidden = dict(re.findall(r'<input type="hidden" name="(address\.\d+)" value="([^"]*)"', proposed.text))
    typed = {name: value for name, value in fields(proposed.text).items() if not name.startswith("pick")}
    typed |= {name: unescape(value) for name, value in hidden.items()}
    assert list(typed.values())[-2:] == [votes, requests]
    bad = {**typed, "columns.requests.title": "Title", "columns.votes.created_at": "When", "do": "save"}
    bad_page = gus.post(PATH, bad).text
    assert error_of(bad_page, "columns.requests.title") == "Address 2.json has no column called Title"
    assert error_of(bad_page, "columns.votes.created_at") == "Address 1.csv has no column called When"
    assert not folder.exists()

    saved = gus.post(PATH, {**typed, "do": "save"})
    assert saved.status_code == 303, saved.text
    mapping = read_mapping(folder / "feedback.toml")
    assert mapping.requests is not None
    assert mapping.votes is not None
    assert (mapping.requests.file, mapping.requests.type) == (requests, "json")
    assert (mapping.votes.file, mapping.votes.type) == (votes, None)
    assert (folder / "feedback.toml").stat().st_mode & 0o077 == 0

    record = saved.headers["location"].partition("?")[0].rpartition("/")[2]
    shown = [gus.get(f"{PATH}?integration={record}{more}").text for more in ("", "&files=other")]
    shown += [gus.get("/settings/third-party").text, gus.get("/audit-trail").text]
    assert not any("sesame" in page for page in shown)
    assert "address 1.json (sheets.example)" in shown[0]
    saved_as = dict(re.findall(r'<input type="hidden" name="(address\.\d+)" value="(saved:[0-9a-f]+)"', shown[0]))
    again = {
        **saved_as, "integration": record,
        **{name: value for name, value in fields(shown[0]).items() if not name.startswith("pick")},
    }  # fmt: skip
    assert len(saved_as) == 2
    changed = gus.post(PATH, {**again, "columns.votes.company_domain": "Plan", "do": "save"})
    assert changed.status_code == 303, changed.text
    mapping = read_mapping(folder / "feedback.toml")
    assert mapping.votes is not None
    assert mapping.votes.columns["company_domain"] == "Plan"
    assert {mapping.votes.file, mapping.requests and mapping.requests.file} == {votes, requests}
    # The server may not tell what the mapping declares: it is read as a run reads it.
    answers[requests] = ("text/plain", json.dumps(ideas))
    assert "address 1.json (sheets.example)" in gus.get(f"{PATH}?integration={record}").text


@pytest.mark.parametrize("token", ["0", "-1", "", "9" * 5_000])
def test_a_token_that_no_saved_address_has_is_passed_over(token: str) -> None:
    """A page of before the mapping was changed sends one; no other address takes its place."""
    assert asked_addresses([f"saved:{token}"], "", ["https://sheets.example/export"]) == ([], "")


def test_of_two_who_map_one_table_the_second_is_told(gus: Client, folder: Path) -> None:
    """As with other forms: nothing is stored, what was chosen stays on the page, and saving once more is meant."""
    made = gus.post(PATH, {**fields(gus.post(PATH, {**PICK, "do": "propose"}).text), "do": "save"})
    record = made.headers["location"].partition("?")[0].rpartition("/")[2]
    page = gus.get(f"{PATH}?integration={record}").text
    typed = {**fields(page), "version": version_in(page), "integration": record, "do": "save"}
    assert gus.post(PATH, {**typed, "columns.requests.board": "State"}).status_code == 303
    second = gus.post(PATH, {**typed, "columns.votes.company_domain": "Plan"})
    assert second.status_code == 409
    assert "another version since you opened this page; stored otherwise than you typed: Requests: Board" in second.text
    assert chosen(second.text, "columns.votes.company_domain") == "Plan"
    mapping = read_mapping(folder / "feedback.toml")
    assert mapping.votes is not None
    assert "company_domain" not in mapping.votes.columns
    meant = {**typed, "columns.votes.company_domain": "Plan", "version": version_in(second.text)}
    # A look on the way leaves the version that the form was opened with.
    assert version_in(gus.post(PATH, {**typed, "do": "show"}).text) == typed["version"]
    assert gus.post(PATH, meant).status_code == 303


def test_everything_wrong_is_named_at_once_by_its_label(gus: Client, folder: Path) -> None:
    """Beside its field, and above the form by the words on the page; nothing is written."""
    (folder / "mine.toml").write_text("", encoding="utf-8")
    wrong = {
        **PICK, "file.requests": "", "file.votes": "votes.csv", "columns.votes.request_id": "Idea",
        "file.people": "../../ideas.csv", "columns.companies.arr": "Plan", "dates.format": "",
        "dates.time_zone": "CEST", "money.format": "lots", "name": "mine.toml", "do": "save",
    }  # fmt: skip
    answer = gus.post(PATH, wrong)
    assert answer.status_code == 400
    names = (
        "file.requests", "columns.votes.request_id", "columns.votes.voter_id", "file.people", "file.companies",
        "dates.format", "dates.time_zone", "money.format", "name",
    )  # fmt: skip
    for name in names:
        assert error_of(answer.text, name)
        assert f'<a href="#{name}">{labels()[name]}</a>' in answer.text
    assert error_of(answer.text, "columns.votes.request_id") == "Votes.csv has no column called Idea"
    assert value_of(answer.text, "money.format") == "lots"
    assert [one.name for one in folder.glob("*.toml")] == ["mine.toml"]
    assert (folder / "mine.toml").read_text(encoding="utf-8") == ""


def test_what_cannot_be_read_is_not_saved(gus: Client, folder: Path) -> None:
    """The words are those of a run, without the place of the folder."""
    typed = fields(gus.post(PATH, {**PICK, "do": "propose"}).text)
    (folder / "votes.csv").write_text(VOTES + '"cut short', encoding="utf-8")
    answer = gus.post(PATH, {**typed, "do": "save"})
    assert (answer.status_code, "votes.csv" in answer.text, str(folder) in answer.text) == (400, True, False)
    assert list(folder.glob("*.toml")) == []
    (folder / "votes.csv").write_text("", encoding="utf-8")
    empty = gus.post(PATH, {**PICK, "do": "propose"})
    assert error_of(empty.text, "pick.1").startswith("Votes.csv is empty")


def test_files_elsewhere_are_neither_listed_nor_read(pages: Served, gus: Client, folder: Path) -> None:
    """Not behind a link, not by a path; and another tenant's integration is not there."""
    secret = pages.home / "operator.csv"
    secret.write_text(VOTES, encoding="utf-8")
    (folder / "link.csv").symlink_to(secret)
    assert "link.csv" not in gus.get(PATH).text
    for named in ("link.csv", "../../operator.csv", str(secret)):
        answer = gus.post(PATH, {"pick.0": named, "do": "propose"})
        assert (answer.status_code, error_of(answer.text, "pick")) == (
            400,
            "Choose at least one file, or name an address",
        )
    assert gus.get(f"{PATH}?integration={'0' * 8}-0000-0000-0000-{'0' * 12}").status_code == 404


def test_files_of_which_nothing_is_known_are_mapped_by_hand(gus: Client, folder: Path) -> None:
    """No votes were found by names: the form is empty, says so, and takes what a person chooses."""
    (folder / "votes.csv").write_text("A,B\nI-1,somebody\n", encoding="utf-8")
    page = gus.post(PATH, {**PICK, "do": "propose"}).text
    assert "No votes were found in ideas.csv, votes.csv" in page
    typed = {
        **fields(page), "file.requests": "ideas.csv", "columns.requests.id": "Idea ID", "dates.format": "%d/%m/%Y",
        "columns.requests.title": "Idea Name", "file.votes": "votes.csv", "columns.votes.request_id": "A",
        "columns.votes.voter_id": "B",
    }  # fmt: skip
    assert "Votes: 1 read" in gus.post(PATH, {**typed, "do": "show"}).text
