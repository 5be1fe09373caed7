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
