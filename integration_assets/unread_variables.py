"""Environment variables that look like settings and are none: a misspelt one would be passed over without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic_settings import BaseSettings

from integration_assets import config

OWN_PREFIX = "INTEGRATION_ASSETS_"
LEAST_LIKENESS, LEAST_LIKENESS_OF_OTHERS = 0.7, 0.88
"""Likeness to a setting from which a name is taken for it, misspelt. Other programs share the prefixes of providers."""
_OF_KUBERNETES = re.compile(r"[A-Z0-9_]*_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP)\w*)?)")
"""Names Kubernetes sets in every container for each service, one called `integration-assets` among them."""
_OF_OTHER_SIGNALS = re.compile(r"OTEL_[A-Z_]*(?:METRICS|LOGS)_[A-Z_]*")
"""Names that OpenTelemetry has for what other programs send, and that resemble those for spans."""


def known_variables() -> frozenset[str]:
    """Names of every variable that is read."""
    # Found, not listed: one more kind of settings must not make its variables strange.
    kinds = [one for one in vars(config).values() if isinstance(one, type) and issubclass(one, BaseSettings)]
    fields = [one.validation_alias for kind in kinds for one in kind.model_fields.values()]
    return frozenset(str(alias) for alias in fields if alias is not None)


def unread_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Say of each variable that looks like a setting and is none what it may have been meant for; never its value.

    Of our own prefix every unknown name is told; of a provider's, which other programs use too, one that resembles a
    setting that is not set.
    """
    known = known_variables()
    given = {name.upper() for name, value in environment.items() if value.strip()}
    own = [name.removeprefix(OWN_PREFIX) for name in known if name.startswith(OWN_PREFIX)]
    shared = tuple(f"{name.partition('_')[0]}_" for name in known if not name.startswith(OWN_PREFIX))
    lines = []
    for name in sorted(given - known):
        if name.startswith(OWN_PREFIX):
            if not _OF_KUBERNETES.fullmatch(name):
                meant = _closest(name.removeprefix(OWN_PREFIX), own, LEAST_LIKENESS)
                lines.append(_line(name, f"{OWN_PREFIX}{meant}" if meant else None))
        elif _OF_OTHER_SIGNALS.fullmatch(name):
            continue
        elif name.startswith(shared) and (meant := _closest(name, known - given, LEAST_LIKENESS_OF_OTHERS)):
            lines.append(_line(name, meant))
    return tuple(lines)


def _closest(name: str, known: Iterable[str], least: float) -> str | None:
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=least)), None)


def _line(name: str, meant: str | None) -> str:
    return f"{name} is no setting and is not read" + (f": is {meant} meant?" if meant else ": correct or remove it")
