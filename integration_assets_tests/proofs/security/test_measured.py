"""What `make security` prints is as it should be; what takes longer is among the proofs."""

from __future__ import annotations

import importlib

import pytest

from integration_assets_tests.proofs.security.__main__ import MODULES
from integration_assets_tests.proofs.security.probes import METHODS, PATHS
from integration_assets_tests.proofs.security.sentinels import spellings

NOT_HERE = ("addresses", "login_times")
"""Which has tests of its own; and what depends on how busy the machine is."""
SLOW = ("sentinels", "vault", "logins", "tenants_apart", "theft")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.proof] if name in SLOW else []) for name in MODULES if name not in NOT_HERE],
)
def test_it_is_as_it_should_be(name: str) -> None:
    """Every attempt is refused, every change noticed, every surface clean."""
    figures = list(importlib.import_module(f"integration_assets_tests.proofs.security.{name}").figures())
    assert figures
    assert [(what, good, of) for what, good, of in figures if good != of or of == 0] == []


def test_there_are_as_many_probes_as_promised() -> None:
    """170 different paths, four methods."""
    assert (len(set(PATHS)), len(METHODS)) == (170, 4)


def test_a_secret_is_recognised_in_every_spelling() -> None:
    """The search finds what it looks for: a clean result means something."""
    import base64
    import json
    from urllib.parse import quote

    secret = b"Sentinel/x+7f3a9c-=&"
    forms = spellings(secret)
    for before in ("", "a", "ab", "user:"):
        text = before.encode() + secret + b" after"
        hidden = [text, text.hex().encode(), quote(secret.decode(), safe="").encode(), text[::-1]]
        hidden += [base64.b64encode(text), base64.urlsafe_b64encode(text), json.dumps(text.decode()).encode()]
        for content in hidden:
            assert any(form in content for form in forms), content
    assert not any(form in b"Sentinel, but another one" for form in forms)
