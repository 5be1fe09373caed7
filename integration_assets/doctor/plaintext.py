"""Check for secrets in plain text where people leave them: environment files and Git's settings, near the home.

Own rules, few and narrow: a known credential of this very installation, and forms that are hardly ever anything else.
A finding names the file, the line and the rule, never what stands there.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from pydantic import SecretStr

from integration_assets.config import DEFAULT_TENANT, Settings
from integration_assets.doctor.context import DoctorContext, NotTriedError, in_thread
from integration_assets.doctor.findings import CheckOutcome, ok, warn
from integration_assets.errors import ConfigurationError
from integration_assets.providers import PROVIDERS
from integration_assets.staging.store import store_place

FILES = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".git/config",
    "credentials*.json",
    "docker-compose*.y*ml",
    "compose*.y*ml",
    "secrets.*",
    "overrides.csv",
)
LARGEST = 1_000_000
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
RULES: dict[str, re.Pattern[str]] = {
    **{
        f"a {spec.secret.called.removeprefix('the ')}": re.compile(spec.secret.pattern)
        for spec in PROVIDERS.values()
        if spec.secret is not None and spec.secret.pattern is not None
    },
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T\w+/B\w+/\w{16,}"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[oprsu]_[0-9A-Za-z]{30,}|github_pat_\w{30,})"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in an address": re.compile(r"\b[a-z][a-z+.-]*://[^\s:/@]+:[^\s/@$<{*]{3,}@"),
    "an authorization header": re.compile(r"(?i)authorization:\s*(?:basic|bearer)\s+[0-9A-Za-z+/=_.-]{16,}"),
    "a secret setting": re.compile(
        r"(?im)^\s*(?:export\s+)?[A-Z0-9_]*(?:API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|ASSETS_KEY)\s*[=:]\s*"
        r"[\"']?(?![$<{*]|your|change|example|xxx|\.\.\.|…)[^\s\"'#]{12,}"
    ),
}


class Found(msgspec.Struct, frozen=True):
    """A line that holds a secret. `open_to_others`: not only the owner may read the file."""

    file: Path
    line: int
    what: str
    open_to_others: bool


async def plaintext(context: DoctorContext) -> CheckOutcome:
    """26: no secret lies about in plain text."""
    try:
        secrets = known_secrets(await context.settings())
    # Without settings the forms of known tokens can still be found.
    except NotTriedError:
        secrets = ()
    folders = places(context.operator.home)
    found = await in_thread(lambda: list(search(folders, secrets)))
    looked_in = ", ".join(str(folder) for folder in folders)
    if not found:
        return ok(f"none in environment files and Git's settings in {looked_in}")
    named = "; ".join(f"{one.file}:{one.line} holds {one.what}" for one in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    if any(one.open_to_others for one in found):
        files = " ".join(sorted({str(one.file) for one in found if one.open_to_others}))
        return warn(f"others on this machine can read: {named}{more}", f"chmod 600 {files}, then replace these secrets")
    return warn(
        f"{named}{more}", "move them to a secret store or the registry, and keep the file out of version control"
    )


def places(home: Path) -> list[Path]:
    """The home, the folder it is in, and where we were started."""
    return list(dict.fromkeys(folder.resolve() for folder in (home, home.parent, Path())))


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """The credentials of this run."""
    values = (getattr(settings, field) for field in type(settings).model_fields)
    secrets = tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))
    # A wrong URL is told by the check of the store.
    with suppress(ConfigurationError):
        lake = store_place(settings, settings.environment, DEFAULT_TENANT).lake
        # Not the whole URL: most often it is a folder, whose name may stand anywhere.
        if lake is not None and lake.password is not None:
            return *secrets, lake.password.get_secret_value()
    return secrets


def search(folders: Iterable[Path], secrets: Iterable[str]) -> Iterator[Found]:
    """Every line with a secret in the files of these folders, none below them but Git's."""
    # A shorter one would be found in words and numbers of any file.
    own = [secret for secret in secrets if len(secret) >= 8]
    files = {file for folder in folders for pattern in FILES for file in folder.glob(pattern)}
    for file in sorted(files):
        with suppress(OSError):
            status = file.stat()
            # A pipe would block the read for ever; a file of a megabyte is no environment file.
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                if what := _what(line, own):
                    yield Found(file, number, what, bool(status.st_mode & OTHERS_MAY_READ))


def _what(line: str, own: list[str]) -> str | None:
    # First: that it is a live credential of ours says more than the form it has.
    if any(secret in line for secret in own):
        return "a credential of this installation"
    return next((what for what, rule in RULES.items() if rule.search(line)), None)
