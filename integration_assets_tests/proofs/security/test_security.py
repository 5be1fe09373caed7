"""Security: what is quick holds in every run of the tests, and the search for secrets finds what it looks for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from urllib.parse import quote

import pytest

from integration_assets_tests.proofs.registry import Row, Scale
from integration_assets_tests.proofs.security import logins, open_routes, probes
from integration_assets_tests.proofs.security.sentinels import spellings


@pytest.mark.parametrize("measure", [probes.measure, open_routes.measure, logins.measure])
def test_every_attempt_is_refused(measure: Callable[[Scale], Iterable[Row]]) -> None:
    """Scanners, strangers and people who guess get nowhere; what takes longer is proven by `make proofs`."""
    rows = list(measure(Scale(1)))
    assert rows
    assert [row for row in rows if row.held is not True] == []


def test_a_secret_is_recognised_in_every_spelling() -> None:
    """The search finds what it looks for: a clean result means something."""
    secret = b"Sentinel/x+7f3a9c-=&"
    forms = spellings(secret)
    for before in ("", "a", "ab", "user:"):
        text = before.encode() + secret + b" after"
        hidden = [text, text.hex().encode(), quote(secret.decode(), safe="").encode(), text[::-1]]
        hidden += [base64.b64encode(text), base64.urlsafe_b64encode(text), json.dumps(text.decode()).encode()]
        for content in hidden:
            assert any(form in content for form in forms), content
    assert not any(form in b"Sentinel, but another one" for form in forms)
