"""The analyst's mappings: the file, and what it may not say."""

from pathlib import Path

import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.resolution.overrides import (
    Override,
    add_override,
    read_overrides,
    remove_override,
    write_overrides,
)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_missing_file_means_none(tmp_path):
    """No file, no mappings."""
    assert read_overrides(tmp_path / "overrides.csv") == ()


def test_mappings_are_normalised(tmp_path):
    """Addresses and domains are read in any spelling; blank lines, a byte order mark and quoted notes are fine."""
    path = write(tmp_path / "o.csv", "\ufeffmatch,company_id,note", " Ann@ACME.com ,1,", "", '@Bücher.de, 2 ,"a, b"')
    assert read_overrides(path) == (Override("ann@acme.com", "1", ""), Override("xn--bcher-kva.de", "2", "a, b"))


def test_a_domain_copied_from_the_address_of_its_page_maps_the_domain(tmp_path):
    """Nobody writes mail from `www.acme.com`: mapped as it stands it would match no voter."""
    path = write(tmp_path / "o.csv", "match,company_id,note", "www.Acme.com,1,", "www.com,2,")
    assert [one.match for one in read_overrides(path, business_domains=["www.com"])] == ["acme.com", "www.com"]
    assert remove_override(path, "www.acme.com", business_domains=["www.com"]) == (Override("www.com", "2", ""),)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["match,company,note"], "line 1: the header must be match,company_id,note"),
        ([""], "line 1: the header"),
        (["match,company_id,note", "acme.com,1"], "line 2: 2 fields"),
        (["match,company_id,note", "acme.com,1,", "acme,1,"], "line 3: neither an e-mail address nor a domain"),
        (["match,company_id,note", "acme.com,,"], "line 2: no company id"),
        (["match,company_id,note", "gmail.com,1,"], "line 2: a personal mail domain cannot be mapped"),
        (["match,company_id,note", "eu.gmail.com,1,"], "line 2: a personal mail domain cannot be mapped"),
        (["match,company_id,note", "co.uk,1,"], "line 2: a public suffix"),
        (["match,company_id,note", "a.com,1,", "A.com,2,"], "line 3: the same match is mapped to another company"),
        (["match,company_id,note", '"a.com,1,'], "cannot be read as UTF-8 CSV"),
    ],
)
def test_wrong_rows_are_refused_with_file_and_line(tmp_path, lines, message):
    """What is wrong is named by file and line."""
    path = write(tmp_path / "o.csv", *lines)
    with pytest.raises(ConfigurationError) as error:
        read_overrides(path)
    assert str(path) in error.value.message
    assert message in error.value.message


@pytest.mark.parametrize(
    ("written", "company_id"),
    [
        ("app.hubspot.com/contacts/1/record/0-2/9100000017", "9100000017"),
        ("9100000017.0", "9100000017"), ('"9100000017,00"', "9100000017"), ("'9100000017", "9100000017"),
        ('"9,100,000,017"', "9100000017"), ("9.100.000.017", "9100000017"), ("9 100 000 017", "9100000017"),
        ("https://app.crm.example/contacts/47110815/company/9100000017", "9100000017"),
        ("https://app.crm.example/contacts/47110815/record/0-2/9100000017/?tab=1", "9100000017"),
        ("https://org.crm.example/lightning/r/Account/0015g00000AbCdEAAV/view", "0015g00000AbCdEAAV"),
    ],
)  # fmt: skip
def test_an_id_as_spreadsheets_and_browsers_show_it_is_read_and_said(tmp_path, written, company_id):
    """Where the id is certain it is used, and the line is told so that somebody writes it plainly."""
    [found] = read_overrides(write(tmp_path / "o.csv", "match,company_id,note", f"acme.com,{written},why"))
    assert (found.match, found.company_id, found.note) == ("acme.com", company_id, "why")
    assert found.repair.startswith("o.csv line 2: company id ")
    assert f"was read as {company_id}" in found.repair
    [plain] = add_override(tmp_path / "p.csv", Override("acme.com", written.strip('"')))
    assert read_overrides(tmp_path / "p.csv") == (plain,) == (Override("acme.com", company_id),)


def test_an_id_that_an_export_kept_as_a_text_is_read(tmp_path):
    """By the formula that keeps a spreadsheet from making a number of it."""
    [found] = read_overrides(write(tmp_path / "o.csv", "match,company_id,note", 'acme.com,="9100000017",why'))
    assert (found.company_id, found.note) == ("9100000017", "why")
    assert "was read as 9100000017" in found.repair


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("9.1E+09", "line 2: company id 9.1E+09 was rewritten by a spreadsheet"), ("9e9", "rewritten by a spreadsheet"),
        ('"9,1E+09"', "rewritten by a spreadsheet"),
        ("https://app.crm.example/contacts/47110815/record/0-1/17", "not of a company's page"),
        ("https://app.crm.example/contacts/47110815", "not of a company's page"),
    ],
)  # fmt: skip
def test_an_id_that_is_lost_is_told_with_its_line(tmp_path, written, message):
    """What a spreadsheet rounded, or the page of something else, is refused when the file is read."""
    path = write(tmp_path / "o.csv", "match,company_id,note", f"acme.com,{written},")
    with pytest.raises(ConfigurationError) as error:
        read_overrides(path)
    assert message in error.value.message
    with pytest.raises(ConfigurationError, match="override not added"):
        add_override(tmp_path / "p.csv", Override("acme.com", written.strip('"')))


@pytest.mark.parametrize(
    "company_id", ["9100000017", "0015g00000AbCdEAAV", "a-1", "2d8e7c1f-aaaa-4bbb-8ccc-0123456789ab", "1e"]
)
def test_an_id_stays_as_it_is(tmp_path, company_id):
    """Ids of other systems have letters and dashes."""
    [found] = read_overrides(write(tmp_path / "o.csv", "match,company_id,note", f"acme.com,{company_id},"))
    assert found == Override("acme.com", company_id)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffmatch;company_id;note\r\nacme.com;1;\"a; b\"\r\n", "match\tcompany_id\tnote\nacme.com\t1\ta; b\n",
        "Match,Company_ID,Note,,\r\nacme.com,1,a; b,,\r\n,,,,\r\n",
        '"match","company_id","note"\n"acme.com","1","a; b"\n',
    ],
)  # fmt: skip
def test_files_as_spreadsheets_save_them(tmp_path, text):
    """Semicolons, tabs, CRLF, a byte order mark, quotes, and columns that were only touched."""
    path = tmp_path / "o.csv"
    path.write_bytes(text.encode())
    assert read_overrides(path) == (Override("acme.com", "1", "a; b"),)


def test_duplicates_are_one_and_contradictions_name_both_lines(tmp_path):
    """The same mapping twice is no mistake, in whatever spelling; two companies for one match are."""
    path = write(tmp_path / "o.csv", "match,company_id,note", "acme.com,1,", "ACME.com,1.0,", "@acme.com,1,")
    assert read_overrides(path) == (Override("acme.com", "1"),)
    write(path, "match,company_id,note", "acme.com,1,", "b.com,2,", "Acme.com.,3,")
    with pytest.raises(ConfigurationError, match=r"line 4: .* above \(line 2\)"):
        read_overrides(path)


def test_a_refused_personal_domain_names_the_way_out(tmp_path):
    """The variable that makes a domain one company's is named where the mapping is refused."""
    with pytest.raises(ConfigurationError, match=r"add alibaba\.com to INTEGRATION_ASSETS_BUSINESS_DOMAINS"):
        add_override(tmp_path / "o.csv", Override("alibaba.com", "1"))
    add_override(tmp_path / "o.csv", Override("alibaba.com", "1"), business_domains=["alibaba.com"])


def test_errors_never_show_an_address(tmp_path):
    """An address in a wrong row stays out of the message."""
    path = write(tmp_path / "o.csv", "match,company_id,note", "ann@gmail.com,,")
    with pytest.raises(ConfigurationError) as error:
        read_overrides(path)
    assert "ann" not in error.value.message


def test_other_encodings_and_directories_are_configuration_errors(tmp_path):
    """A file that is not UTF-8, or no file at all, is a mistake of configuration."""
    path = tmp_path / "o.csv"
    path.write_bytes(b"match,company_id,note\nb\xfccher.de,1,\n")
    for wrong in (path, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_overrides(wrong)


def test_configured_exceptions_count(tmp_path):
    """A domain the tenant calls business can be mapped, one it calls personal cannot; single addresses always can."""
    path = write(tmp_path / "o.csv", "match,company_id,note", "gmx.de,1,", "ann@gmail.com,1,")
    assert len(read_overrides(path, business_domains=["gmx.de"])) == 2
    with pytest.raises(ConfigurationError, match="line 2"):
        read_overrides(write(path, "match,company_id,note", "acme.com,1,"), personal_domains=["acme.com"])


def test_adding_replaces_and_removing_takes_away(tmp_path):
    """The file always holds one mapping per match, and reads back as written."""
    path = tmp_path / "deep" / "o.csv"
    add_override(path, Override("acme.com", "1", "why"))
    add_override(path, Override("ann@x.com", "2"))
    assert add_override(path, Override("ACME.com", "3", 'say "so"')) == read_overrides(path)
    assert read_overrides(path) == (Override("ann@x.com", "2"), Override("acme.com", "3", 'say "so"'))
    assert remove_override(path, "Acme.com") == (Override("ann@x.com", "2"),)
    with pytest.raises(ConfigurationError, match="no override with this match"):
        remove_override(path, "acme.com")
    with pytest.raises(ConfigurationError, match="override not added: a personal mail domain"):
        add_override(path, Override("gmail.com", "3"))
    assert [file.name for file in path.parent.iterdir()] == ["o.csv"]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    """Half a file is never seen."""
    path = tmp_path / "o.csv"
    write_overrides(path, (Override("acme.com", "1"),))
    with pytest.raises(AttributeError):
        write_overrides(path, (Override("acme.com", "1"), None))  # type: ignore[arg-type]  # fails while writing
    assert read_overrides(path) == (Override("acme.com", "1"),)
    assert len(list(tmp_path.iterdir())) == 1
