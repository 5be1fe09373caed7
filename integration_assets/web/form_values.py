"""Forms into values and back: a page shows again what was typed, with each message beside its field, but no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from integration_assets.tenants.registry.changes import FieldError
from integration_assets.tenants.registry.views import SecretView
from integration_assets.web.request_context import Form

SECRETS = frozenset({"secret", "csrf", "password"})
"""Fields that are never shown again."""
_MISSING = "enter the new one"
NO_SECRET = {"secret": _MISSING}
EXPIRY_LABEL = "When does the secret expire?"
NOT_SAID, NEVER, ON_A_DAY = "", "never", "day"


def typed(form: Form) -> dict[str, str]:
    """Return what was typed, to be shown again."""
    # A secret that is shown again would be in the page's source, in caches and on screenshots.
    return {name: value for name, value in form.values.items() if name not in SECRETS}


def by_labels(errors: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Messages that name other fields of the page by their labels; the registry knows them by their names alone."""
    names = {name: label for name, label in labels.items() if "_" in name or "." in name}
    # The longest first: one name may be the beginning of another.
    pattern = "|".join(rf"\b{re.escape(name)}\b" for name in sorted(names, key=len, reverse=True))
    if not pattern:
        return dict(errors)
    return {field: re.sub(pattern, lambda found: names[found[0]], said) for field, said in errors.items()}


def expiry(form: Form, errors: dict[str, str]) -> dict[str, Any]:
    """`expires_at` and `never_expires`, as the form says; a message beside the field when it is wrong."""
    said = form.text("expires")
    if said == NEVER:
        return {"never_expires": True}
    # Nothing said clears the day: otherwise an old one could never be taken back.
    if said != ON_A_DAY:
        return {"expires_at": None, "never_expires": False}
    try:
        return {"expires_at": day(form.text("expires_on")), "never_expires": False}
    except FieldError as error:
        # Collected, so that it stands beside all other messages instead of being the only one.
        errors[error.field] = error.reason
        return {}


def day(text: str) -> datetime:
    """The end of a day, UTC.

    Raises:
        FieldError: it is no day.
    """
    try:
        # The end of the day: whoever names a last day means that it still works on it.
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)
    except ValueError:
        raise FieldError("expires_at", "must be a day, such as 2027-03-31") from None


def shown_expiry(secret: SecretView) -> dict[str, str]:
    """The fields of `expiry` for a stored secret."""
    if secret.never_expires:
        return {"expires": NEVER}
    if secret.expires_at is None:
        return {"expires": NOT_SAID}
    return {"expires": ON_A_DAY, "expires_on": f"{secret.expires_at:%Y-%m-%d}"}


def below(form: Form, prefix: str) -> dict[str, str]:
    """Fields whose names begin with `prefix.`, by the rest of their names."""
    start = f"{prefix}."
    return {name.removeprefix(start): value.strip() for name, value in form.values.items() if name.startswith(start)}


def flat(prefix: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Values as the fields `below` reads; lists joined by commas."""
    return {
        f"{prefix}.{name}": ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }
