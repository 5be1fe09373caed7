"""One pattern for e-mail addresses: in whatever script and spelling they go, and ordinary text stays."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integration_assets.masking import mask_addresses, mask_addresses_in_json


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ask josé@acme.com", "ask [address]"),
        ("anna@bücher.example", "[address]"),
        ("用户@例子.公司", "[address]"),
        ("请联系：用户@例子。公司，谢谢", "请联系：[address]，谢谢"),  # noqa: RUF001 - how Chinese is written
        ("ईमेल@भारत.भारत", "[address]"),
        ('ask "john doe"@acme.com now', "ask [address] now"),
        (r'"a\"b"@acme.com', "[address]"),
        ("bob+tag@mail.acme.co.uk.", "[address]."),
        ("mailto:jos%C3%A9%40acme.com?subject=x", "mailto:[address]?subject=x"),
        ("https://x.example/?user=ann%2540acme.com", "https:[address]"),
        ("josé\uff20acme\uff0ecom", "[address]"),
        ("jo\u200bsé\u2060@\u200bac\u00adme.com", "[address]"),
        ("ann&#64;acme.com or ann&commat;acme.com", "[address] or [address]"),
        (r"ann\@acme\.com", "[address]"),
        ("(josé@acme.com), <ann@acme.com>", "([address]), <[address]>"),
        ("john(work)@acme.com", "[address]"),
        ("a@163.com,b@[192.168.1.1];c@[IPv6:2001:db8::1];d@10.0.0.1", "[address],[address];[address];[address]"),
        ("{@acme.com and a/@acme.com", "[address] and [address]"),
        ("h❤@i❤.ws", "[address]"),
        ("https://ann:pass@acme.com/x", "https://ann:[address]/x"),
    ],
)
def test_an_address_is_masked(text, masked):
    """Of any script, quoted, tagged, encoded, with invisible characters or punctuation round it."""
    assert mask_addresses(text) == masked
    assert mask_addresses(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "thanks @ann and @ann.lee",
        "a @ b, lunch @ noon.",
        "pkg@1.2.3, @scope/pkg@^1.2.x, node@18.x, checkout@v4.1.1, x@2.0.0-rc.beta",
        "at 10:30, 5@10.30am, 2@9.99",
        "https://medium.com/@first.last/post and medium.com/@first.last",
        "icon@2x.png",
        "image@sha256:0a1b",
        "root@localhost",
        "🎉 done 🎉@home",
        "100% & more; 40%40",
        "",
    ],
)
def test_ordinary_text_stays(text):
    """Mentions, times, versions, pages, pictures and emoji are read as they were written."""
    assert mask_addresses(text) == text


LETTERS = st.text(st.characters(categories=["L", "N", "M"]), min_size=1, max_size=12)
LOCAL = st.one_of(
    LETTERS,
    st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}", fullmatch=True),
    st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters='"\\'), min_size=1, max_size=20).map(
        lambda text: f'"{text}"'
    ),
)
TOP_LEVEL = st.text(
    st.characters(categories=["Lu", "Ll", "Lo"], exclude_characters="\u3164\u115f\u1160\uffa0"), min_size=2, max_size=8
)
HOST = st.tuples(LETTERS, TOP_LEVEL).map(".".join)
SIGN = st.sampled_from(["@", "\uff20", "%40", "\u200b@\u200b", "&#64;"])
AROUND = st.sampled_from(["", " ", "(", ")", ", ", "<", ">", "; ", "\n"])


@given(LOCAL, SIGN, HOST, AROUND, AROUND)
@example('"a b"', "@", "acme.com", "(", ")")
def test_no_address_gets_through(local, sign, host, before, after):
    """Whatever stands round it: neither the address nor its host is left."""
    masked = mask_addresses(f"ask{before or ' '}{local}{sign}{host}{after or ' '}please")
    assert f"{sign}{host}" not in masked
    assert "[address]" in masked


@given(st.text())
def test_masking_twice_changes_nothing(text):
    """A mask is ordinary text, and no text makes it fail."""
    once = mask_addresses(text)
    assert mask_addresses(once) == once
    if "@" not in text and "40" not in text and "64" not in text and "\uff20" not in text and "\ufe6b" not in text:
        assert once == text or "&commat;" in text


@given(LOCAL, HOST)
def test_json_is_masked_inside_its_strings(local, host):
    """Escapes and quotes of JSON hide no address, and what comes out is JSON."""
    for text in (
        json.dumps({"title": f"ask {local}@{host}", "n": [1, None, True]}),
        json.dumps({"title": f"ask {local}@{host}", "n": [1, None, True]}, ensure_ascii=False),
    ):
        value = json.loads(mask_addresses_in_json(text))
        assert f"@{host}" not in value["title"]
        assert value["n"] == [1, None, True]


def test_long_texts_are_read_once():
    """A text of signs and quotes costs as many steps as it has characters, not their square."""
    text = '"@' * 50_000 + "a" * 100_000
    assert mask_addresses(text) == text
