"""Hosts are cleaned of what people paste into domain fields, and never looked up on the network."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.errors import ConfigurationError
from integration_assets.resolution.domains import (
    CompanyHost,
    Kind,
    _suffixes,
    clean_company_host,
    lineage,
    mail_domains,
    registrable_domain,
    to_host,
)

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
    assert clean_company_host(text, LISTS).host == host


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("n/a", "not_a_host"),
        ("acme", "not_a_host"),
        ("acme.com, acme.de", "not_a_host"),
        ("127.0.0.1", "not_a_host"),
        ("co.uk", "public_suffix"),
        ("gmail.com", "personal_domain"),
        ("https://www.gmail.com/", "personal_domain"),
        ("mailinator.com", "personal_domain"),
    ],
)
def test_junk_is_no_host_and_says_why(text, problem):
    """What is not one company's host is named with its problem."""
    assert clean_company_host(text, LISTS) == CompanyHost(problem=problem)


@pytest.mark.parametrize("text", [None, "", "  ", "\ufeff"])
def test_blank_domains_are_absent(text):
    """An empty field is no problem."""
    assert clean_company_host(text, LISTS) == CompanyHost()


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


def test_configured_domains_must_be_domains():
    """A configured entry that is no domain is refused by name."""
    with pytest.raises(ConfigurationError, match="own domains: 'acme' is not a domain"):
        mail_domains(own=["acme"])


@given(st.text(max_size=40))
def test_cleaning_anything_is_safe_and_idempotent(text):
    """Any text is a host, a problem or nothing; a cleaned host stays what it is, under its registrable domain."""
    found = clean_company_host(text, LISTS)
    assert not (found.host and found.problem)
    if found.host:
        assert clean_company_host(found.host, LISTS).host in {found.host, found.host.removeprefix("www.")}
        assert found.registrable_domain is None or found.registrable_domain in lineage(found.host)


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
