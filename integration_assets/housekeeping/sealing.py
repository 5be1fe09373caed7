"""Sealing of a backup with the master key: AES-256-GCM in chunks, so that no more than one is in memory.

A sealed file is a line that says what it is, a line of JSON (`key_id`, `salt`), and chunks. The key of the file is
derived from the master key and the salt (HKDF-SHA256), so that each key seals one file and the number of a chunk can be
its nonce. The nonce also says whether a chunk is the last one, and the two lines are bound to each: chunks that are
moved, left out, or cut off at the end do not open.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integration_assets.config import Settings, variable
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.tenants.registry.master import MasterKeys, master_keys
from integration_assets.tenants.registry.vault import KEY_BYTES, Key

FIRST_LINE = b"integration-assets sealed backup 1\n"
CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_SALT_BYTES = 32
_LONGEST_LINE = 1_000


class _Header(msgspec.Struct, frozen=True):
    key_id: str
    salt: str


class SealingWriter:
    """A file to be written in sequence, sealed into another one. `finish` has to be called at the end."""

    def __init__(self, file: BinaryIO, key: Key) -> None:
        salt = os.urandom(_SALT_BYTES)
        self._file = file
        self._head = FIRST_LINE + msgspec.json.encode(_Header(key.id, base64.b64encode(salt).decode())) + b"\n"
        self._cipher = _cipher(key, salt)
        self._waiting = bytearray()
        self._chunks = 0
        file.write(self._head)

    def write(self, content: bytes) -> int:
        """Take what follows; it may reach the file later."""
        self._waiting += content
        # One is kept back: only the end tells which is the last.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(content)

    def finish(self) -> None:
        """Write what is left, marked as the end."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._chunks, last=last), chunk, self._head))
        self._chunks += 1


class OpeningReader:
    """A sealed file, to be read in sequence from its first byte. Gives no byte that was not sealed with the key.

    Raises:
        ConfigurationError: the key that sealed it was not given.
        PermanentError: it was changed, or its end is missing.
    """

    def __init__(self, file: BinaryIO, settings: Settings, name: object) -> None:
        self._file, self._name = file, name
        self._head = file.readline(_LONGEST_LINE) + file.readline(_LONGEST_LINE)
        try:
            header = msgspec.json.decode(self._head.removeprefix(FIRST_LINE), type=_Header)
            salt = base64.b64decode(header.salt, validate=True)
        except (msgspec.DecodeError, binascii.Error, ValueError):
            raise self._damaged() from None
        self._cipher = _cipher(_key(settings, header.key_id, name), salt)
        self._opened = bytearray()
        self._chunks = 0
        self._ahead = file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; all that are left where it is negative."""
        while not self._ended and (size < 0 or len(self._opened) < size):
            self._opened += self._open_next()
        end = len(self._opened) if size < 0 else size
        given = bytes(self._opened[:end])
        del self._opened[:end]
        return given

    def _open_next(self) -> bytes:
        sealed, self._ahead = self._ahead, self._file.read(CHUNK_BYTES + _TAG_BYTES)
        self._ended = not self._ahead
        try:
            chunk = self._cipher.decrypt(_nonce(self._chunks, last=self._ended), sealed, self._head)
        except InvalidTag:
            raise self._damaged() from None
        self._chunks += 1
        return chunk

    def _damaged(self) -> PermanentError:
        return PermanentError(f"{self._name} is damaged: it was changed, or its end is missing; take another backup")


def is_sealed(file: BinaryIO) -> bool:
    """Tell whether a file is sealed, by its first line; it is at its beginning afterwards."""
    sealed = file.read(len(FIRST_LINE)) == FIRST_LINE
    file.seek(0)
    return sealed


def sealing_key(settings: Settings) -> Key:
    """The master key that seals from now on.

    Raises:
        ConfigurationError: none was given, or it is none.
    """
    hint = "`integration-assets keys generate` makes a key for a first backup"
    return _master_keys(settings, "to encrypt a backup", hint).current


def _master_keys(settings: Settings, why: str, hint: str) -> MasterKeys:
    if settings.key is None and settings.key_file is None:
        raise ConfigurationError(f"{why}, {variable('key')} or {variable('key_file')} must be set: {hint}")
    return master_keys(settings)


def _key(settings: Settings, key_id: str, name: object) -> Key:
    hint = "give the key it was made with; a new one opens nothing"
    keys = _master_keys(settings, f"to open {name}, which key {key_id:.40} encrypted", hint)
    if (key := keys.by_id(key_id)) is None:
        given = ", ".join(one.id for one in keys.keys)
        raise ConfigurationError(
            f"{name} was encrypted with key {key_id:.40}, and what was given is {given}: give the key it was made "
            "with, beside the others"
        )
    return key


def _cipher(key: Key, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, b"integration-assets backup 1").derive(key.raw))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
