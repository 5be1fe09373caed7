"""Sealing and opening: AES-256-GCM, bound to the place a secret belongs to.

A sealed value is `{"v": 1, "key_id": ..., "nonce": ..., "ct": ...}`, nonce and ciphertext in base64. What it is bound
to (the associated data) is `v1|tenant|table|record|field|serial`: moved to another tenant, table, record or field, or
kept from before the secret was replaced, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from integration_assets.errors import PermanentError

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
"""96 bits, as GCM wants them. A data key seals far fewer than the 2^32 values for which random nonces are safe."""


class TamperedError(PermanentError):
    """A sealed value does not belong where it stands, or was changed."""


class SecretContext(msgspec.Struct, frozen=True):
    """Context of a secret: tenant, table and record by id or name, its field, and how often it was replaced."""

    tenant: str
    table: str
    record: str
    field: str
    serial: int = 0

    def bound(self) -> bytes:
        """The associated data. None of the parts can hold a `|`: ids, names of tables and fields, a number."""
        return f"v{VERSION}|{self.tenant}|{self.table}|{self.record}|{self.field}|{self.serial}".encode()


class Key(msgspec.Struct, frozen=True):
    """A 256-bit key with the name that sealed values know it by. Never shown."""

    id: str
    raw: bytes

    def __repr__(self) -> str:
        """Without the key itself: a repr ends up in logs and tracebacks."""
        return f"Key({self.id})"


def new_key(key_id: str) -> Key:
    """A random key."""
    return Key(key_id, os.urandom(KEY_BYTES))


def fingerprint(raw: bytes) -> str:
    """16 hex digits that tell keys apart and say nothing of the key."""
    return hmac.new(raw, b"integration_assets master key id", hashlib.sha256).hexdigest()[:16]


def seal(key: Key, text: bytes, place: SecretContext) -> dict[str, Any]:
    """Seal a value for the place it belongs to."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key.raw).encrypt(nonce, text, place.bound())
    return {
        "v": VERSION,
        "key_id": key.id,
        "nonce": base64.b64encode(nonce).decode(),
        "ct": base64.b64encode(sealed).decode(),
    }


def unseal(key: Key, sealed: Any, place: SecretContext) -> bytes:
    """Open a sealed value.

    Raises:
        TamperedError: it was changed, sealed by another key, or belongs to another place.
    """
    problem = TamperedError(
        f"the sealed {place.field} of {place.table} {place.record} does not open: it was changed, or belongs "
        "elsewhere; enter it again"
    )
    try:
        # Also inside the try: the sealed value is whatever somebody may have written into the column.
        if sealed["v"] != VERSION or sealed["key_id"] != key.id:
            raise problem
        nonce = base64.b64decode(sealed["nonce"], validate=True)
        text = base64.b64decode(sealed["ct"], validate=True)
        return AESGCM(key.raw).decrypt(nonce, text, place.bound())
    except (InvalidTag, KeyError, TypeError, ValueError, binascii.Error):
        raise problem from None
