"""Secrets that are typed, pasted, or come on stdin."""

import getpass
import io
import sys

import pytest

from integration_assets.commands.shared import confidential
from integration_assets.errors import ConfigurationError

KEY = "-----BEGIN PRIVATE KEY-----\nMIIE0123456789\n\nabcdefgh\n-----END PRIVATE KEY-----"  # pragma: allowlist secret
CUT = "-----BEGIN PRIVATE KEY-----\nMIIE0123456789"  # pragma: allowlist secret


class Terminal(io.StringIO):
    """Standard input that people type into."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


@pytest.mark.parametrize(
    ("text", "multiline", "expected"),
    [
        (f"{KEY}\nmore\n", True, KEY),
        (KEY.replace("\n", "\r\n"), True, KEY),
        (CUT, True, CUT),
        (KEY, False, KEY.splitlines()[0]),
        ("a-token-0123456789\nmore\n", True, "a-token-0123456789"),
    ],
)
def test_a_private_key_is_read_to_its_last_line(
    monkeypatch: pytest.MonkeyPatch, text: str, multiline: bool, expected: str
) -> None:
    """Any other secret is one line."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert confidential("key or token", multiline=multiline) == expected


def test_a_prompt_takes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a key that is pasted it would keep the first; one without its line breaks is whole."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _: KEY.splitlines()[0])
    with pytest.raises(ConfigurationError, match="give its file, by `< FILE`"):
        confidential("key or token", multiline=True)
    monkeypatch.setattr(getpass, "getpass", lambda _: KEY.replace("\n", ""))
    assert confidential("key or token", multiline=True) == KEY.replace("\n", "")


def test_nothing_given_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than taken for a secret."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(ConfigurationError, match="no password was given"):
        confidential("password")
