"""Hosts are cleaned of what people paste into domain fields, and never looked up on the network."""

import socket
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.errors import ConfigurationError
from integration_assets.invisible import strip
from integration_assets.mail_addresses import to_host
from integration_assets.resolution.domains import (
    CompanyHost,
    Kind,
    _suffixes,
    clean_company_hosts,
    lineage,
    registrable_domain,
)
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets_tests.resolution.worlds import company, resolved

LISTS = mail_domains()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Acme.COM", "acme.com"),
        ("acme.com.", "acme.com"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.de", "xn--bcher-kva.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("\uff41\uff43\uff4d\uff45\u3002com", "acme.com"),
        ("localhost", None),
        ("", None),
        ("a..com", None),
        ("-a.com", None),
        ("a_b.com", None),
        ("10.0.0.1", None),
        ("[::1]", None),
        ("xn--zzzzzzzzz.com", None),
        ("a" * 64 + ".com", None),
        (".".join(["a" * 60] * 5) + ".com", None),
        ("ü" * 2000 + ".com", None),
    ],
)
def test_hosts_become_ascii_or_nothing(text, host):
    """A host is lower-case ASCII with a dot; anything else is none."""
    assert to_host(text) == host


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("acme.com", "acme.com"),
        ("a.b.acme.co.uk", "acme.co.uk"),
        ("co.uk", None),
        ("com", None),
        ("team.github.io", "team.github.io"),
        ("www.team.github.io", "team.github.io"),
        ("github.io", None),
        ("mail.acme.internal-zone", "acme.internal-zone"),
        ("eu.xn--bcher-kva.de", "xn--bcher-kva.de"),
    ],
)
def test_registrable_domain(host, domain):
    """The public suffix, private ones included, plus one label; an unknown top-level domain is a suffix."""
    assert registrable_domain(host) == domain


def test_no_network_and_no_cache(monkeypatch, tmp_path):
    """The list is the bundled one: a lookup opens no socket, and writes nothing in the home directory."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registrable_domain("some.new.acme.com.br") == "acme.com.br"
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("acme.com", "acme.com"),
        (" https://user:secret@WWW.Acme.com:8080/path?x#y ", "acme.com"),
        ("http:acme.com", "acme.com"),
        ("//acme.com/", "acme.com"),
        ("info@acme.com", "acme.com"),
        ("mailto:info@acme.com", "acme.com"),
        ("acme.com:443", "acme.com"),
        ("acme.com./shop", "acme.com"),
        ("www.www-acme.com", "www-acme.com"),
        ("www.dev", "www.dev"),
        ("www.co.uk", "www.co.uk"),
        ("eu.acme.com", "eu.acme.com"),
        ("www.bücher.de", "xn--bcher-kva.de"),
        ("uberspace.de", "uberspace.de"),
    ],
)
def test_company_hosts_are_cleaned(text, host):
    """Scheme, user, port, path, final dot, case and www are taken off, the last only where a domain remains."""
    assert [one.host for one in clean_company_hosts(text, LISTS)] == [host]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("n/a", "not_a_host"),
        ("acme", "not_a_host"),
        ("acme.com, bought by globex.com", "not_a_host"),
        ("Acme Inc. acme.com", "not_a_host"),
        ("acme,com", "not_a_host"),
        ("acme .com", "not_a_host"),
        ("127.0.0.1", "not_a_host"),
        ("co.uk", "public_suffix"),
        ("gmail.com", "personal_domain"),
        ("https://www.gmail.com/", "personal_domain"),
        ("mailinator.com", "personal_domain"),
    ],
)
def test_junk_is_no_host_and_says_why(text, problem):
    """What is not one company's host is named with its problem."""
    assert [(one.host, one.problem) for one in clean_company_hosts(text, LISTS)] == [(None, problem)]


@pytest.mark.parametrize("text", [None, "", "  ", "\ufeff"])
def test_blank_domains_are_absent(text):
    """An empty field is no problem."""
    assert clean_company_hosts(text, LISTS) == ()


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("multi-one.io, multi-two.io", ["multi-one.io", "multi-two.io"]),
        ("a.com\uff0cb.com\u3001c.com", ["a.com", "b.com", "c.com"]),
        ("a.com\uff1bb.com\u2022c.com", ["a.com", "b.com", "c.com"]),
        ("acme.com/Acme.de", ["acme.com", "acme.de"]), ("a.com/b.com/c.com/", ["a.com", "b.com", "c.com"]),
        ("https://acme.com/acme.de", ["acme.com"]), ("acme.com/de/acme.io", ["acme.com"]),
        ("acme.com/index.html", ["acme.com"]), ("github.com/acme.io", [None]),
        ("a.com;b.com", ["a.com", "b.com"]), ("a.com b.com", ["a.com", "b.com"]), ("a.com / b.com", ["a.com", "b.com"]),
        ("a.com | b.com\nc.com", ["a.com", "b.com", "c.com"]), ("a.com and b.com", ["a.com", "b.com"]),
        ("a.com & www.a.com", ["a.com"]), ("https://a.com/,https://b.com/x", ["a.com", "b.com"]),
        ("info@a.com, sales@b.com", ["a.com", "b.com"]), ('"x.com"', ["x.com"]), ("<x.com>", ["x.com"]),
        ("“x.com”", ["x.com"]), ("'x.com',", ["x.com"]), ("http//x.com", ["x.com"]), ("htp://x.com", ["x.com"]),
        ("http:\\\\x.com", ["x.com"]), ("https://https://x.com", ["x.com"]), ("http//www.z.com/a", ["z.com"]),
        ("x.com (main)", ["x.com"]), ("x.com [old: y.com]", ["x.com"]), ("x.com (y.com)", ["x.com", "y.com"]),
        ("*.x.com", ["x.com"]), ("x\u200b.com", ["x.com"]), ("[x.com](https://x.com)", ["x.com"]),
        ("https://z.com/a,b(c)[d]?q='1'&f=a.html", ["z.com"]), ("x.com.;", ["x.com"]),
    ],
)  # fmt: skip
def test_one_field_may_hold_several_hosts(text, hosts):
    """What parts domains, or stands round one, is no part of them; comments are no domains of the company."""
    assert [one.host for one in clean_company_hosts(text, LISTS)] == hosts


def test_each_domain_of_a_field_has_its_own_problem():
    """A personal mail domain beside a host costs itself only, and is named."""
    assert clean_company_hosts("gmail.com, acme.com", LISTS) == (
        CompanyHost(problem="personal_domain", problem_host="gmail.com"),
        CompanyHost(host="acme.com", registrable_domain="acme.com"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "facebook.com/acme", "https://www.facebook.com/acme/", "linkedin.com/company/acme", "m.facebook.com/acme",
        "https://uk.linkedin.com/company/acme?x=1", "instagram.com/acme", "sites.google.com/view/acme",
        "github.com/acme", "x.com/acme", "youtube.com/@acme",
    ],
)  # fmt: skip
def test_a_page_on_a_platform_is_no_host(text):
    """It says nothing of the platform's own addresses; the bare host of a platform is its company's."""
    assert [one.problem for one in clean_company_hosts(text, LISTS)] == ["platform_page"]
    assert [one.host for one in clean_company_hosts("https://www.github.com/", LISTS)] == ["github.com"]


def test_tenants_of_a_mail_service_have_domains_of_their_own():
    """`onmicrosoft.com` is a suffix: each name below it is registrable, and it is nobody's company itself."""
    assert registrable_domain("acme.onmicrosoft.com") == "acme.onmicrosoft.com"
    assert registrable_domain("acme.mail.onmicrosoft.com") == "acme.mail.onmicrosoft.com"
    assert LISTS.kind("acme.onmicrosoft.com", "acme.onmicrosoft.com") is Kind.BUSINESS
    assert [one.problem for one in clean_company_hosts("onmicrosoft.com", LISTS)] == ["personal_domain"]
    assert [one.host for one in clean_company_hosts("zendesk.com", LISTS)] == ["zendesk.com"]


PROVIDERS = [
    "vodafone.de", "telia.com", "walla.co.il", "sympatico.ca", "bbox.fr", "pec.it", "docomo.ne.jp", "mozmail.com",
    "privaterelay.appleid.com", "users.noreply.github.com", "t-online.de", "orange.fr", "libero.it", "btinternet.com",
    "comcast.net", "bigpond.com", "xtra.co.nz", "uol.com.br", "wp.pl", "seznam.cz", "ukr.net", "abv.bg", "naver.com",
    "rediffmail.com", "telkomsa.net", "qq.com", "duck.com", "simplelogin.com", "bluewin.ch", "telenet.be", "ziggo.nl",
    "online.no", "mail.dk", "kolumbus.fi",
]  # fmt: skip


@pytest.mark.parametrize("host", PROVIDERS)
def test_mail_providers_are_personal(host):
    """Access providers, free mail and relays of many countries, and hosts below them."""
    for one in (host, f"mail.{host}"):
        assert LISTS.kind(one, registrable_domain(one)) is Kind.PERSONAL


@pytest.mark.parametrize(
    "host", ["telekom.de", "kpn.com", "github.com", "appleid.com", "apple.com", "bt.com", "verizon.com"]
)
def test_a_providers_own_company_is_none(host):
    """What only a provider's staff use stays business."""
    assert LISTS.kind(host, registrable_domain(host)) is Kind.BUSINESS


@pytest.mark.parametrize("name", ["mail_providers", "platforms", "tenant_suffixes"])
def test_our_lists_hold_domains_each_once(name):
    """Every entry is a host in its normal form, and stands there once."""
    text = files("integration_assets.resolution").joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    entries = [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    assert [entry for entry in entries if to_host(entry) != entry] == []
    assert len(entries) == len(set(entries))


def test_kinds():
    """Personal by host or registrable domain, plus and minus configuration; own with sub-domains, before all else."""
    lists = mail_domains(own=["Ourselves.com"], personal=["@hey.com"], business=["gmx.de", "firm.gmail.com"])
    assert lists.kind("ourselves.com", "ourselves.com") is Kind.OWN
    assert lists.kind("eu.mail.ourselves.com", "ourselves.com") is Kind.OWN
    assert lists.kind("hey.com", "hey.com") is Kind.PERSONAL
    assert lists.kind("gmail.com", "gmail.com") is Kind.PERSONAL
    assert lists.kind("x.gmail.com", "gmail.com") is Kind.PERSONAL
    assert lists.kind("firm.gmail.com", "gmail.com") is Kind.BUSINESS
    assert lists.kind("gmx.de", "gmx.de") is Kind.BUSINESS
    assert lists.kind("notourselves.com", "notourselves.com") is Kind.BUSINESS


def test_a_configured_domain_copied_from_the_address_of_its_page_is_the_domain():
    """`www.acme.com` writes no mail: taken as it stands it would leave own staff among the customers."""
    lists = mail_domains(own=["www.Ourselves.com"], personal=["WWW.hey.com"], business=["www.gmx.de", "www.com"])
    assert lists.kind("eu.ourselves.com", "ourselves.com") is Kind.OWN
    assert lists.kind("hey.com", "hey.com") is Kind.PERSONAL
    assert lists.kind("gmx.de", "gmx.de") is Kind.BUSINESS
    assert lists.kind("www.com", "www.com") is Kind.BUSINESS


def test_configured_domains_must_be_domains():
    """A configured entry that is no domain is refused by name."""
    with pytest.raises(ConfigurationError, match="own domains: 'acme' is not a domain"):
        mail_domains(own=["acme"])


@pytest.mark.parametrize(
    "entry",
    ["annsecret", "ann.secret@", "ann.secret@localhost", "ann.secret@a.com ann@b.com", "ann.secret%40gmail.com",
     "ann.secret\uff20localhost"],
)  # fmt: skip
def test_a_wrong_entry_that_may_be_an_address_is_told_by_its_place(entry):
    """People are told which entry it is; only what holds no sign of an address is repeated."""
    with pytest.raises(ConfigurationError) as told:
        mail_domains(own=["acme.com", entry])
    if entry == "annsecret":
        assert told.value.message == "own domains: 'annsecret' is not a domain, correct or remove it"
        return
    assert told.value.message == (
        "own domains: entry 2 is neither a domain nor one e-mail address, correct or remove it"
    )


def test_only_own_domains_may_be_addresses():
    """An address among personal or business domains is refused by its place."""
    for lists in ({"personal": ["a.com", "ann.secret@gmail.com"]}, {"business": ["a.com", "ann.secret@gmail.com"]}):
        with pytest.raises(ConfigurationError, match=r"entry 2 is no domain .only own domains may be") as told:
            mail_domains(**lists)
        assert "secret" not in told.value.message


@given(st.text(max_size=40))
def test_cleaning_anything_is_safe_and_idempotent(text):
    """Any text is a host, a problem or nothing; a cleaned host stays what it is, under its registrable domain."""
    for found in clean_company_hosts(text, LISTS):
        assert bool(found.host) != bool(found.problem)
        if found.host:
            [again] = clean_company_hosts(found.host, LISTS)
            assert again.host in {found.host, found.host.removeprefix("www.")}
            assert found.registrable_domain is None or found.registrable_domain in lineage(found.host)


@given(st.lists(st.sampled_from(["a.com", "b.co.uk", "eu.c.de"]), min_size=1, max_size=4), st.data())
def test_no_domain_of_a_field_is_lost(hosts, data):
    """However they are parted and wrapped, all of them are found, and nothing else."""
    wrap = st.sampled_from(["{}", "https://{}/", "<{}>", '"{}"', "http//www.{}", "info@{}", " {} ", "{}:443"])
    parts = [data.draw(wrap).format(host) for host in hosts]
    field = data.draw(st.sampled_from([", ", ";", " ", " / ", "\n", " | ", " and "])).join(parts)
    assert {one.host for one in clean_company_hosts(field, LISTS)} == set(hosts)


FIELDS = st.one_of(
    st.text(alphabet="ab.-/ ,;()<>\"@:\u200b", max_size=20),
    st.lists(
        st.sampled_from([
            "a.com", "b.co.uk", "gmail.com", "co.uk", "x.github.io", "acme.onmicrosoft.com", "bücher.de", "github.com",
            "github.com/a", "www.a.com", "A.com.", "n/a", "(main)", "http//", ", ", ";", " ",
        ]),
        max_size=4,
    ).map("".join),
)  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(st.lists(FIELDS, min_size=1, max_size=20))
def test_the_store_reads_domain_fields_as_python_does(fields):
    """The hosts that SQL takes for plain by itself, and the problems it keeps, are those of reading each field."""
    world = {"crm_companies": [company(str(number), field) for number, field in enumerate(fields)]}
    connection = resolved(world, ranked=False)
    hosts = connection.execute("SELECT company_id, host, registrable_domain FROM resolved.company_hosts").fetchall()
    problems = connection.execute("SELECT company_id, reason, host FROM resolved.host_problems").fetchall()
    cleaned = [(str(number), one) for number, field in enumerate(fields) for one in clean_company_hosts(field, LISTS)]
    assert set(hosts) == {(number, one.host, one.registrable_domain) for number, one in cleaned if one.host}
    assert set(problems) == {(number, one.problem, one.problem_host) for number, one in cleaned if one.problem}


LABELS = st.sampled_from(["a", "www", "city", "compute", "blogspot", "co", "com", "github", "xn--kbenhavn-54a"])


@settings(deadline=None, max_examples=300)
@given(st.lists(LABELS, max_size=3), st.sampled_from(sorted(_suffixes(private=True).tlds)))
def test_the_short_way_to_a_registrable_domain_gives_what_the_list_says(labels, rule):
    """Under any rule of the Public Suffix List, wildcards and exceptions included, in Unicode or in ASCII."""
    host = to_host(".".join([*labels, rule.lstrip("!").replace("*", "any")]))
    if host is None:
        return
    parts = _suffixes(private=True).extract_str(host)
    expected = f"{parts.domain}.{parts.suffix}" if parts.domain and parts.suffix else None
    assert registrable_domain(host) == expected


@pytest.mark.parametrize(
    "text", ["\u200bacme", "acme\u200b", "\u200bacme\u2060", " \u200b acme", "acme \u3164 ", "acme"]
)
def test_what_nobody_sees_is_taken_off_at_either_end(text: str):
    """At one end as well as at both; between letters it stays."""
    assert strip(text) == "acme"
    assert strip("ac\u200bme") == "ac\u200bme"
    assert strip("\u200b \u2060") == ""
