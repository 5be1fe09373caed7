"""E-mail addresses, by example and by property."""

import re

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.invisible import strip
from integration_assets.mail_addresses import PLAIN_ADDRESS, address_key, other_spellings, split_address
from integration_assets.resolution.addresses import Address, parse_address
from integration_assets.resolution.domains import Kind, blank_pattern
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets_tests.resolution.worlds import resolved, rows

LISTS = mail_domains(own=["ourselves.com", "Dee <Dee.Founder@gmail.com>"])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@acme.com", "ann@acme.com"),
        ("  Ann.Lee+x@EU.Acme.Com \n", "ann.lee+x@eu.acme.com"),
        ("Ann Lee <Ann@Acme.com>", "ann@acme.com"),
        ('"Lee, Ann @ Acme" <ann@acme.com>', "ann@acme.com"),
        ("<ann@acme.com>", "ann@acme.com"),
        ("ann@bücher.de", "ann@xn--bcher-kva.de"),
        ("änn@acme.com", "änn@acme.com"),
        ("\ufeffann@acme.com\u200b", "ann@acme.com"),
        ("ann@acme.com.", "ann@acme.com"),
        ("a\u200bnn@ac\u200cme.com", "ann@acme.com"),
        ("\u2066ann@acme.com\u2069\u2800", "ann@acme.com"),
        ("ann@acme.com;", "ann@acme.com"),
        ("ann@acme.com , ", "ann@acme.com"),
        ("mailto:Ann@acme.com", "ann@acme.com"),
        ("<mailto:ann@acme.com>", "ann@acme.com"),
        ("SMTP:Ann@acme.com", "ann@acme.com"),
        ("Ann <smtp:ann@acme.com>", "ann@acme.com"),
        ("E-Mail: ann@acme.com", "ann@acme.com"),
        ("mail@acme.com", "mail@acme.com"),
        ("MAILTO:ann@acme.com?subject=ask%20bob@acme.com", "ann@acme.com"),
        ("(ann@acme.com)", "ann@acme.com"),
        ("[ann@acme.com]", "ann@acme.com"),
        ("((ann@acme.com))", "ann@acme.com"),
        ("'ann@acme.com'", "ann@acme.com"),
        ("“ann@acme.com”", "ann@acme.com"),
        ("<ann@acme.com", "ann@acme.com"),
        ("ann@acme.com>", "ann@acme.com"),
        ("Ann Lee <ann@acme.com>;", "ann@acme.com"),
        ("Ann Lee (ann@acme.com)", "ann@acme.com"),
        ("(Ann) ann@acme.com (work)", "ann@acme.com"),
        ("ann@acme.com <ann@acme.com>", "ann@acme.com"),
        ("jose\u0301@acme.com", "jos\u00e9@acme.com"),
        ("JOSE\u0301@acme.com", "jos\u00e9@acme.com"),
        ("\uff41\uff4e\uff4e\uff20\uff41\uff43\uff4d\uff45\uff0e\uff43\uff4f\uff4d", "ann@acme.com"),
        ("ann\ufe6bacme.com", "ann@acme.com"),
        ("ann@acme\u3002com\uff0c", "ann@acme.com"),
        ("\uff1cann@acme.com\uff1e\uff1b", "ann@acme.com"),
        ("ann@acme.com; Ann@acme.com.", "ann@acme.com"),
        ("ann@acme.com (ann@acme.com)", "ann@acme.com"),
        ("[ann@acme.com](mailto:ann@acme.com)", "ann@acme.com"),
        ("Ann Lee ann@acme.com, ANN@acme.com", "ann@acme.com"),
        ('"ann"@acme.com', "ann@acme.com"),
        ('"Ann Lee"@acme.com', '"ann lee"@acme.com'),
        ('<"ann\\"lee"@acme.com>', '"ann\\"lee"@acme.com'),
    ],
)
def test_addresses_are_normalised(text, address):
    """Trimmed, lower-case, host in ASCII, the display form opened."""
    parsed = parse_address(text, LISTS)
    assert (parsed.kind, parsed.address) == (Kind.BUSINESS, address)
    assert address_key(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "ann", "acme.com", "@acme.com", "ann@", "ann@localhost", "ann@@acme.com", "ann@acme@acme.com",
        "ann lee@acme.com", "ann@acme .com", "ann@10.0.0.1", "ann@[10.0.0.1]", "ann;bob@acme.com", "ann\x00@acme.com",
        "Ann <ann@acme.com> Lee", "Ann <ann>", "a@b.com, c@d.com",
        "a@b.com;c@d.com", "a@b.com c@d.com", "a@b.com <c@d.com>", "a@b.com, <c@d.com>", "a@b.com (c@d.com)",
        "mailto:", "<>", "()", "(@)", ";", "ann@acme\u00a0.com", '""@acme.com', '" "@acme.com', '"a@b"@acme.com',
        "ann@acme.com; ann@acme.com; bob@acme.com", "ann@acme; ann@acme", "[ann@acme.com](mailto:bob@acme.com)",
    ],
)  # fmt: skip
def test_what_is_no_address_is_malformed(text):
    """Anything but null that is not one address is malformed, a host without a dot included."""
    assert parse_address(text, LISTS).kind is Kind.MALFORMED


BLANKS = [None, "", " ", "\u00a0", "\u200b", "\ufeff \u2060", "\u3000\t\n", "\u2800", "\u3164", "\u202e"]


@pytest.mark.parametrize("text", BLANKS)
def test_null_and_blank_are_no_address(text):
    """What shows nothing to a person is no address, and no malformed one."""
    assert parse_address(text, LISTS) == Address(kind=Kind.NONE)


def test_sql_knows_a_blank_text_as_python_does():
    """The pattern of blank texts holds exactly the characters that are stripped, of all there are."""
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    connection = duckdb.connect(":memory:")
    connection.register("characters", pa.table({"letter": characters}))
    query = "SELECT letter FROM characters WHERE regexp_full_match(letter, ?) ORDER BY unicode(letter)"
    blank = connection.execute(query, [blank_pattern()]).fetchall()
    assert [letter for (letter,) in blank] == [character for character in characters if not strip(character)]
    assert connection.execute("SELECT regexp_full_match('', ?)", [blank_pattern()]).fetchall() == [(True,)]


def test_other_spellings_are_asked_of_a_crm_too():
    """A CRM compares texts: the letters of the host, and the source's own spelling, beside the normalised address."""
    assert other_spellings("Ann@Acme.com") == set()
    assert other_spellings("Ann Lee <ann@acme.com>") == set()
    assert other_spellings("ann@Bücher.example") == {"ann@bücher.example"}
    assert other_spellings("ann@xn--bcher-kva.example") == {"ann@bücher.example"}
    assert other_spellings("ann@acme.example.") == {"ann@acme.example."}
    assert other_spellings("nobody") == set()
    assert other_spellings("jos\u00e9@acme.com") == {"jose\u0301@acme.com"}
    assert other_spellings("jose\u0301@acme.com") == {"jose\u0301@acme.com"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a@gmail.com", Kind.PERSONAL),
        ("a@mail.gmail.com", Kind.PERSONAL),
        ("a@mailinator.com", Kind.PERSONAL),
        ("a@ourselves.com", Kind.OWN),
        ("a@team.ourselves.com", Kind.OWN),
        ("dee.founder@gmail.com", Kind.OWN),
        ("DEE.Founder@GMail.com.", Kind.OWN),
        ("dee@gmail.com", Kind.PERSONAL),
        ("dee.founder@mail.gmail.com", Kind.PERSONAL),
        ("a@uberspace.de", Kind.BUSINESS),
    ],
)
def test_kinds_of_addresses(text, kind):
    """Personal and disposable mail, own staff, business."""
    assert parse_address(text, LISTS).kind is kind


LOCALS = st.text(alphabet="abcXYZ09.+-_!#e\u0301\u00e9\uff41", min_size=1, max_size=8)
LABELS = st.text(alphabet="abcXYZ019-ü", min_size=1, max_size=6)
HOSTS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.builds(
    "{}{}@{}{}".format,
    st.sampled_from(["", " ", "N <", "mailto:", "(", "'", '"', "\u200b", "\u00a0(x) ", "a@b.c; "]),
    LOCALS,
    HOSTS,
    st.sampled_from(["", ".com", ">", ".com>", ".com;", ".com)", ".com'", '.com"', ".com. ", ".com\u200b (x)", ","]),
)


@given(st.one_of(ADDRESSES, st.text(max_size=30)))
def test_normalising_is_idempotent(text):
    """A normalised address is its own normal form, without white space or capitals."""
    parts = split_address(text)
    if parts:
        assert split_address("@".join(parts)) == parts
        assert "@".join(parts) == "@".join(parts).lower()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.sampled_from(BLANKS), ADDRESSES, st.text(max_size=20)), min_size=1, max_size=30))
def test_the_store_understands_addresses_as_python_does(texts):
    """The part of the work that SQL does has the same result as parsing each address by itself."""
    texts = [None if text is None else text.replace("\x00", "").encode("utf-8", "ignore").decode() for text in texts]
    voters = [{"voter_id": str(number), "email": text} for number, text in enumerate(texts)]
    found = rows(resolved({"voters": voters}, ranked=False), "FROM resolved.addresses ORDER BY voter_id::INT")
    domains = mail_domains()
    for text, row in zip(texts, found, strict=True):
        parsed = parse_address(text, domains)
        assert (row["kind"], row["address"], row["host"], row["registrable_domain"]) == (
            parsed.kind, parsed.address, parsed.host, parsed.registrable_domain,
        )  # fmt: skip


def test_plain_addresses_are_taken_apart_by_sql_only_where_python_agrees():
    """The pattern of plain addresses lets nothing through that has a character of its own meaning."""
    for character in ' <>()[],;:\\"@\n\tü':
        assert not re.fullmatch(PLAIN_ADDRESS, f"a{character}b@acme.com")
