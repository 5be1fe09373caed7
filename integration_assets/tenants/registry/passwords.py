"""Passwords: Argon2id at the library's defaults, compared in the same time whether there is such a user or not."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from integration_assets.tenants.registry.changes import FieldError

SHORTEST = 12
LONGEST = 128
_hasher = PasswordHasher()


def check_password(password: str, *, login: str = "") -> str:
    """A password that may be set.

    Raises:
        FieldError: too short, too long (a long one would cost us time), or the login itself.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise FieldError("password", f"must have {SHORTEST} to {LONGEST} characters")
    # A length alone allows twelve times the same letter.
    if len(set(password)) < SHORTEST // 3 or (login and login.lower() in password.lower()):
        raise FieldError("password", "is too easy to guess: choose another")
    return password


def hash_password(password: str) -> str:
    """The hash that is stored. Takes about 0.2 s."""
    return _hasher.hash(password)


def fits(password_hash: str | None, password: str) -> bool:
    """True if a password belongs to a hash. Without a hash (no such user) it takes as long, and it does not."""
    try:
        # Cut: hashing costs time by length, and anybody may send megabytes.
        _hasher.verify(password_hash or _nobodys(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """True if the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of nobody")
