"""The master key: from the environment or a file, several during a rotation, never kept beside the data."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

import msgspec

from integration_assets.config import Settings, variable
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.vault import KEY_BYTES, Key, fingerprint

KEY_FILE_MODE = 0o400


class MasterKeys(msgspec.Struct, frozen=True):
    """The first seals, all open. The others are those being rotated away."""

    keys: tuple[Key, ...]

    @property
    def current(self) -> Key:
        """The key that seals."""
        return self.keys[0]

    def by_id(self, key_id: str) -> Key | None:
        """The key with this id, if it was given."""
        return next((key for key in self.keys if key.id == key_id), None)


def generate() -> str:
    """A new master key as text: 256 random bits in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys that were given: comma-separated in the variable, or one a line in the file; the newest first.

    Raises:
        ConfigurationError: none was given, two ways were used at once, the file may be read by others, or a key is
            no 256-bit key. The message never repeats what was given.
    """
    name, file_name = variable("key"), variable("key_file")
    # Not one before the other: during a rotation nobody would know which one sealed.
    if settings.key is not None and settings.key_file is not None:
        raise ConfigurationError(f"{name} and {file_name} exclude each other: unset one")
    if settings.key_file is not None:
        where, text = file_name, _from_file(settings.key_file)
    elif settings.key is not None:
        where, text = name, settings.key.get_secret_value()
    else:
        raise ConfigurationError(
            f"{name} or {file_name} must be set: the registry's secrets cannot be opened without their key "
            "(`integration-assets keys generate` makes one for a new registry)"
        )
    given = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    if not given:
        raise ConfigurationError(f"{where} holds no key: `integration-assets keys generate` makes one")
    # The same key given twice would look like a rotation that never ends.
    return MasterKeys(tuple(_key(part, where) for part in dict.fromkeys(given)))


def _from_file(path: Path) -> str:
    name = variable("key_file")
    try:
        with path.open(encoding="ascii") as file:
            # Of the open file, not of the path: it cannot be exchanged between the look and the read.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode != KEY_FILE_MODE:
                raise ConfigurationError(
                    f"{name}: {path} has mode {mode:04o}, others may read or change it: `chmod 400 {path}`"
                )
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds more than a key"
        raise ConfigurationError(f"{name}: {path} cannot be read: {reason}") from None


def _key(text: str, where: str) -> Key:
    try:
        # Both alphabets and with or without padding: generators of keys differ in this.
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ConfigurationError(
            f"{where} holds no 256-bit key in base64: `integration-assets keys generate` makes one"
        )
    # From here on the key is taken out of whatever this process says, errors included.
    register(text)
    return Key(fingerprint(raw), raw)
