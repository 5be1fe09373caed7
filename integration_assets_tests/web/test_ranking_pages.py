"""The pages on a ranking: open requests first, filters in the address, files to take away."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import duckdb
import pytest

from integration_assets.config import Environment
from integration_assets.reporting.rankings import LifecycleGaps, read_lifecycle_gaps
from integration_assets.reporting.result_files import result_path
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.same_requests import SameRequest
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets.web import pages_insights
from integration_assets.web.first_run import Step, StepState
from integration_assets.whole_files import replacing_file, write_whole
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

COMPANIES = 120
LONG = "long" * 50
"""Companies that voted for `r`: three pages of them."""

PAGE = "https://crm.invalid/{id}"
pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(scope="module")
def published(pages: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three requests, one shipped; one with many companies, and votes of which some can be mapped."""
    people = {f"u{number}": f"u@c{number}.example" for number in range(COMPANIES)}
    lost = {"big1": "a@big.example", "big2": "b@big.example", "small": "a@small.example", "none": None}
    mail = {f"mail{number}": f"m{number}@gmail.com" for number in range(5)}
    voters = {**people, **lost, **mail}
    shipped_at = AS_OF.replace(month=5, day=20)
    world: World = {
        "feature_requests": [
            request("r", title="Dark mode", board="Web", tags=["ui"], status="planned"),
            request("s", title="=cmd()", board="App", tags=["ui", "api"]),
            request("t", title="Themes", status="complete", status_changed_at=shipped_at, category=LONG, tags=[LONG]),
            request("m", title="<i>Night</i> mode", url="https://feedback.example/m"),
            request("n", title="No light", url="javascript:alert(1)"),
        ],
        "voters": [
            *({"voter_id": name, "email": email} for name, email in voters.items()),
            *({"voter_id": name, "email": f"{name}@c1.example"} for name in ("w1", "w2")),
        ],
        "votes": [
            *(vote(f"r{name}", "r", name) for name in voters),
            vote("s1", "s", "u1"),
            *(vote(f"m{name}", "m", name) for name in ("w1", "w2")),
            *(vote(f"t{number}", "t", f"u{number}") for number in range(3)),
        ],
        "crm_companies": [
            company(
                f"{number}",
                f"c{number}.example",
                name=f"Company {number:03}",
                arr="10",
                **({"owner": LONG, "segments": {"plan": LONG}} if number == 2 else {}),
                **({"renewal_date": "2026-07-01"} if number == 3 else {}),
            )
            for number in range(COMPANIES)
        ]
        # Nobody of it voted.
        + [company("900", "grosse.example", name="Größe & Big", arr="77")],
    }
    target = published_path(pages.home, "sandbox", "acme")
    with open_store(tmp_path_factory.mktemp("store") / "acme.duckdb") as connection:
        load(connection, world)
        merged = tuple(SameRequest(f"canny:{one}", "canny:s") for one in ("m", "n"))
        resolve_votes(connection, ResolutionSettings(same_requests=merged, key_prefix="canny:"))
        rank(connection, AS_OF, source_name="canny")
        # The CRM is one whose addresses are nobody's, and has a record of one request.
        portal = "SELECT '7' AS portal_id, 'target' AS role, ? AS request_page"
        connection.execute(f"INSERT INTO raw.crm_portals BY NAME {portal}", [PAGE])
        address = "UPDATE ranked.feature_requests SET crm_url = ? WHERE request_id = 'r'"
        connection.execute(address, [PAGE.replace("{id}", "1")])
        publish(connection, target)
    yield
    target.unlink()


def test_a_record_whose_address_is_nobodys_is_there_all_the_same(ann: Client) -> None:
    """It has no link; what has no record is told apart."""
    recorded, other = (ann.http.get(f"/requests/{one}").text for one in ("r", "s"))
    assert "crm.invalid" not in recorded
    assert "no record in the CRM yet" not in recorded
    assert "no record in the CRM yet" in other


def test_open_requests_come_first_and_the_rest_is_told(ann: Client) -> None:
    """A shipped request is left out, counted, and one link away; naming its status shows it."""
    shown = ann.http.get("/requests").text
    assert "Dark mode" in shown
    assert "Themes" not in shown
    assert "1 shipped or closed request is not shown" in shown
    assert 'href="/requests?by=arr&amp;all=1"' in shown
    for address in ("/requests?all=1", "/requests?status=complete"):
        assert "Themes" in ann.http.get(address).text
    nothing = ann.http.get("/requests?words=themes").text
    assert "No request matches. 1 shipped or closed request does" in nothing


def test_what_a_run_settles_is_asked_once_for_what_it_published(
    pages: Served, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps are asked for as long as one is open, companies without a stage once; anew once a run published."""
    asked: list[str] = []
    steps = ["open"]

    def first_run_steps(*_: object) -> list[Step]:
        asked.append("steps")
        return [Step("Keys", StepState.NOT_YET, "Missing.", "/settings", "doctor")] if steps else []

    def read_gaps(connection: duckdb.DuckDBPyConnection) -> LifecycleGaps | None:
        asked.append("gaps")
        return read_lifecycle_gaps(connection)

    monkeypatch.setattr(pages_insights, "first_run_steps", first_run_steps)
    monkeypatch.setattr(pages_insights, "read_lifecycle_gaps", read_gaps)
    path = published_path(pages.home, "sandbox", "acme")
    pages.site.published.forget(path)
    assert "Missing." in ann.get("/requests").text
    assert "Missing." in ann.get("/requests?by=votes").text
    assert asked == ["steps", "gaps", "steps"]
    steps.clear()
    for _ in range(3):
        assert "Missing." not in ann.get("/requests").text
    assert asked[3:] == ["steps"]
    # As a run does that publishes: another file in its place.
    with replacing_file(path) as file:
        file.write(path.read_bytes())
    ann.get("/requests")
    assert asked[4:] == ["steps", "gaps"]
    # One that fails, for a key that was revoked, publishes nothing.
    ending = result_path(pages.home, Environment.SANDBOX, "acme", "failed")
    ending.parent.mkdir(parents=True, exist_ok=True)
    write_whole(ending, b"{}")
    ann.get("/requests")
    ending.unlink()
    assert asked[6:] == ["steps"]


def test_filters_are_in_the_address(ann: Client) -> None:
    """Each narrows the page down and stays chosen; odd values are none."""
    for address, found, left in (
        ("board=Web", "Dark mode", "=cmd()"),
        ("tag=api", "=cmd()", "Dark mode"),
        ("status=planned", "Dark mode", "=cmd()"),
        ("tag=ui&words=dark", "Dark mode", "=cmd()"),
    ):
        shown = ann.http.get(f"/requests?{address}").text
        assert found in shown, address
        assert f">{left}</a>" not in shown, address
    # which companies are counted stays in the address as well, and what is no such filter is none
    some = ann.http.get(
        "/requests?segment=plan%3Dpro&segment=x&lifecycle=lead&renewing_within=2099-01-01&board=Web"
    ).text
    assert "Only companies with plan=pro that renew by 2099-01-01 are counted: 0 of 120 companies that voted" in some
    assert 'href="/requests?by=arr&amp;board=Web">Count all companies</a>' in some
    assert "&amp;segment=plan%3Dpro&amp;renewing_within=2099-01-01" in some
    # values that the page itself offers are not cut
    for address in (f"category={LONG}", f"tag={LONG}", f"segment=plan%3D{LONG}", f"owner={LONG}"):
        assert f"/requests?by=arr&amp;{address}&amp;all=1" in ann.http.get(f"/requests?{address}").text, address
    unknown = ann.http.get("/requests?lifecycle=unknown").text
    assert "Only neither customers nor prospects are counted" not in unknown
    assert "Only companies that are neither customers nor prospects are counted: 120 of 120" in unknown
    assert "Dark mode" in ann.http.get("/requests?voted_since=never&created_since=2026-13-01").text
    assert "No request matches" in ann.http.get("/requests?voted_since=2026-05-30").text


def test_a_ranking_leaves_as_a_file(ann: Client, stranger: Client) -> None:
    """With the filters of the page, named for its tenant; formulas are text; only for who may see the page."""
    answer = ann.http.get("/requests.csv?tag=ui&by=votes")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="feature-requests-acme-sandbox.csv"'
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [(row["title"], row["tags"], row["companies"]) for row in rows] == [
        ("Dark mode", "ui", "120"),
        ("'=cmd()", "ui; api", "1"),
    ]
    assert ann.http.get("/requests.xlsx").content.startswith(b"PK")
    assert ann.http.get("/requests.parquet").content.startswith(b"PAR1")
    assert 'href="/requests.csv?by=arr&amp;board=Web"' in ann.http.get("/requests?board=Web").text
    refused = stranger.http.get("/requests.csv")
    assert (refused.status_code, refused.headers["location"]) == (303, "/login")


def test_segments_have_a_page_of_their_own(ann: Client) -> None:
    """Each with its first requests and a link to all of them; what is in no segment is counted."""
    assert 'href="/segments?by=votes">By segment' in ann.http.get("/requests?by=votes").text
    shown = ann.http.get("/segments?by=votes").text
    assert f'<a href="/requests?by=votes&amp;segment=plan%3D{LONG}">{LONG}</a>' in shown
    assert "1 company that voted, ARR 10" in shown
    assert "Not shown: 119 companies that voted without a value." in shown
    assert ">Dark mode</a>" in shown
    assert ">Themes</a>" not in shown
    assert ">Themes</a>" in ann.http.get("/segments?all=1").text


def test_programs_get_the_ranking_as_json(ann: Client, gus: Client, stranger: Client) -> None:
    """By the filters of the page and of the command, every column; what is misspelt or unknown is refused."""
    whole = ann.http.get("/api/requests").json()
    assert {name: whole[name] for name in ("currency", "total", "shown", "shipped_or_closed_left_out")} == {
        "currency": "", "total": 2, "shown": 2, "shipped_or_closed_left_out": 1,
    }  # fmt: skip
    first = whole["requests"][0]
    assert (first["request_id"], first["arr"], first["companies"], first["tags"]) == ("r", "1200.00", COMPANIES, ["ui"])
    [columns] = csv.reader(ann.http.get("/requests.csv?words=nothing").text.splitlines())
    assert list(first) == columns
    cut = ann.http.get("/api/requests?all=1&limit=1&by=votes").json()
    assert (cut["total"], cut["shown"], len(cut["requests"])) == (3, 1, 1)
    some = ann.http.get(f"/api/requests?segment=plan%3D{LONG}&board=Web").json()
    assert some["counted"].startswith("Only companies with plan=long")
    assert [(one["request_id"], one["arr"]) for one in some["requests"]] == [("r", "10.00")]
    for address, told in (
        ("bord=Web", "bord"), ("by=size", "by"), ("all=yes", "all"), ("limit=0", "limit"), ("owner=a&owner=b", "owner"),
        ("status=plnned", "there is no status plnned"), ("segment=plan%3Dgold", "no company that voted has plan=gold"),
        ("voted_since=lately", "lately"),
    ):  # fmt: skip
        refused = ann.http.get(f"/api/requests?{address}")
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json"), address
        assert told in refused.text
    link = re.search(r'href="(/api/requests[^"]*)">JSON<', ann.http.get("/requests?board=Web").text)
    assert link is not None
    assert ann.http.get(link[1].replace("&amp;", "&")).json()["total"] == 1

    one = ann.http.get("/api/companies/1/requests?limit=2").json()
    assert (one["company"]["company_name"], one["total"], one["shown"]) == ("Company 001", 3, 2)
    assert [request["title"] for request in one["requests"]] == ["Dark mode", "=cmd()"]
    assert ann.http.get("/api/companies/900/requests").status_code == 404
    for address in ("/api/requests", "/api/companies/1/requests"):
        assert stranger.http.get(address).status_code == 401
        # another tenant has its own ranking, or none
        assert gus.http.get(address).status_code == 404


def test_merged_requests_show_on_every_page_on_which_somebody_looks(ann: Client) -> None:
    """In the ranking, on the page of the request that stays, by the title and the id of one that went, in the CSV."""
    night = "&lt;i&gt;Night&lt;/i&gt; mode"
    shown = ann.http.get("/requests?words=night").text
    assert f'<a href="/requests/s#merged">{night} (canny, 2 votes), No light (canny, 0 votes)</a>' in shown
    assert ">Dark mode</a>" not in shown
    details = ann.http.get("/requests/s").text
    assert "The votes of 2 other requests count for this one" in details
    assert f'<a href="https://feedback.example/m" rel="noreferrer noopener">{night}</a>' in details
    assert "<code>m</code>" in details
    assert "javascript:" not in details
    went = ann.http.get("/requests/m")
    assert went.status_code == 200
    assert 'count for <a href="/requests/s">=cmd()</a>, as the file of same requests says: 2 votes.' in went.text
    [row] = csv.DictReader(ann.http.get("/requests.csv?tag=api").text.splitlines())
    assert (row["merged_requests"], row["votes"]) == ("m; n", "3")
    assert row["merged_details"].startswith("<i>Night</i> mode (canny, 2 votes, https://feedback.example/m); No light")


def test_companies_of_a_request_come_in_pages(ann: Client) -> None:
    """Fifty on each, with their number; every company is on one of them, and none is left out in silence."""
    named: list[str] = []
    for number, expected in ((1, 50), (2, 50), (3, 20)):
        shown = ann.http.get(f"/requests/r?page={number}").text
        found = re.findall(r">(Company \d{3})<", shown)
        assert len(found) == expected
        assert f"page {number} of 3" in shown
        assert "120 companies, those with most ARR first" in shown
        named += found
    assert len(set(named)) == COMPANIES
    assert 'href="/requests/r?page=2#companies"' in ann.http.get("/requests/r").text
    # What stands around it may have shipped: its status stands beside it.
    assert '>Themes</a> <span class="badge status-complete">complete</span>' in ann.http.get("/requests/r").text
    assert "past the last company" in ann.http.get("/requests/r?page=9").text


def test_a_company_has_open_requests_first(ann: Client) -> None:
    """With the status of each and since when it has it; what shipped comes after what is open."""
    shown = ann.http.get("/companies/1").text
    assert shown.index("Dark mode") < shown.index("Themes")
    assert '<td class="day" data-label="Status since">2026-05-20</td>' in shown
    assert "3 of 3, open ones first" in shown


@pytest.mark.parametrize(
    ("query", "there", "missing", "said"),
    [
        ("?status=complete", ["Themes"], ["Dark mode"], "1 of 3,"),
        ("?status=any_open", ["Dark mode"], ["Themes"], "2 of 3,"),
        ("?status=complete&since=2026-05-20", ["Themes"], ["Dark mode"], "1 of 3,"),
        ("?since=2026-05-21", [], ["Themes", "Dark mode"], "None of its 3 requests fits"),
        # Also where nothing fits: there it may be why.
        ("?since=2026-05-21", [], [], "since when they have their status are left out"),
        ("?page=2", [], ["Themes", "Dark mode"], "past the last request that fits"),
        ("?status=nonsense&since=soon", [], ["Themes", "Dark mode"], "None of its 3 requests fits"),
    ],
)
def test_a_company_shows_what_shipped_for_it_since_a_day(
    ann: Client, query: str, there: list[str], missing: list[str], said: str
) -> None:
    """Or what is open, or of one status: the address keeps it."""
    shown = ann.http.get(f"/companies/1{query}").text
    assert said in shown
    assert all(f">{title}</a>" in shown for title in there)
    assert not any(f">{title}</a>" in shown for title in missing)


def test_a_page_past_the_last_says_so(ann: Client) -> None:
    """Not that nothing fits: the way back keeps the filter."""
    companies = ann.http.get("/companies?words=company&page=9").text
    assert "past the last company that fits" in companies
    assert 'href="/companies?words=company">First page' in companies
    requests = ann.http.get("/requests?by=votes&page=9").text
    assert "past the last request that matches" in requests
    assert 'href="/requests?by=votes">First page' in requests
    assert "No company fits" in ann.http.get("/companies?words=nobody").text


def test_companies_are_found_by_owner_segment_and_renewal(ann: Client) -> None:
    """The number of those that fit is told, the way to what they ask for keeps the filter, and pages do as well."""
    everybody = ann.http.get("/companies").text
    assert f"{COMPANIES} companies, those with most ARR first" in everybody
    assert f"page 1 of 3, {COMPANIES} in all" in everybody
    assert '<td class="day" data-label="Renews">2026-07-01</td>' in everybody
    renewing = ann.http.get("/companies?renewing_within=2026-08-01").text
    assert "Only companies that renew by 2026-08-01 are counted: 1 of 120 companies" in renewing
    assert 'href="/requests?renewing_within=2026-08-01">What they ask for</a>' in renewing
    assert ("Company 003" in renewing, "Company 002" in renewing) == (True, False)
    owned = ann.http.get("/companies", params={"owner": LONG, "segment": f"plan={LONG}"}).text
    assert ("Company 002" in owned, "Company 003" in owned, "1 company," in owned) == (True, False, True)
    assert "No company fits" in ann.http.get("/companies?renewing_within=2026-06-20").text
    # What is no date is no filter, as of the other pages.
    assert f"{COMPANIES} companies," in ann.http.get("/companies?renewing_within=soon&lifecycle=friend").text
    one = ann.http.get("/companies/2").text
    assert LONG in one
    assert '<span class="muted">renews</span> 2026-07-01' in ann.http.get("/companies/3").text


def test_votes_that_somebody_can_map_come_first(ann: Client) -> None:
    """Domains by votes; personal mail and people without an address are summed below, whatever their number."""
    shown = ann.http.get("/unresolved").text
    assert "9 votes in all. These domains need a company, those with most votes first: 2 domains, 3 votes." in shown
    assert shown.index("big.example") < shown.index("small.example") < shown.index("no mapping can help")
    assert "5 votes of 1 domain: personal mail" in shown
    assert "1 vote: no e-mail address" in shown
    assert shown.count(">Map it</a>") == 2


def test_a_domain_is_mapped_to_a_company_by_its_name(ann: Client) -> None:
    """Companies of whom nobody voted are found as well; at most twenty are shown, with how many more there are."""
    asked = ann.http.get("/unresolved?match=big.example").text
    # By the name of the domain, before anybody typed anything.
    assert 'value="big"' in asked
    assert "Größe &amp; Big" in asked
    assert 'href="/unresolved?match=big.example&amp;company_id=900#map"' in asked
    chosen = ann.http.get("/unresolved?match=big.example&company_id=900").text
    assert re.search(r'name="company_id"[^>]*value="900"', chosen)
    assert 'id="company_id-hint">Größe &amp; Big<' in chosen
    many = ann.http.get("/unresolved?company=COMPANY").text
    assert len(re.findall(r">Choose<", many)) == 20
    assert "and 100 more: give more of the name" in many
    # One address that was typed is shown again, and in no address of ours.
    typed = ann.post("/unresolved/map", {"match": "bea@big.example"}).text
    assert "Größe &amp; Big" in typed
    assert 'href="/unresolved?company_id=900#map"' in typed
    assert typed.count("bea@big.example") == typed.count("bea%40big.example") + 1 == 1
    nobody = ann.http.get("/unresolved?company=%3Cb%3Ezzz").text
    assert "No company of the CRM is called “&lt;b&gt;zzz”" in nobody
