"""Every error the product raises on purpose, and the end state each one means.

    IntegrationError
    ├── ConfigurationError      exit 2   wrong or missing setting, wrong portal
    │   └── LaunchError                  a run that Dagster was asked to start in a way it cannot go
    ├── PermanentError          exit 1   needs a person: key rejected, scope missing, contract broken
    │   ├── CredentialError
    │   └── ContractError
    ├── TransientError          exit 75  safe to run again: unreachable, 5xx, quota, lock taken
    │   ├── QuotaError
    │   │   └── DailyQuotaError
    │   ├── UnknownOutcomeError
    │   ├── RunStoppedError              Dagster ended the run
    │   │   └── RunCancelledError        a person did, through Dagster
    │   ├── LockError
    │   └── CoordinationError            PostgreSQL, through which machines share locks and limits, cannot be used
    └── HeldError               exit 3   gate or guard said no, object missing or drifted; nothing was written

A message says what happened, to what, and what to do. It never carries a secret, an e-mail address or a payload.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from integration_assets.masking import mask_addresses


class EndState(StrEnum):
    """End states of a run. Any other ending is a bug."""

    SUCCEEDED = "SUCCEEDED"
    SUCCEEDED_WITH_REJECTS = "SUCCEEDED_WITH_REJECTS"
    HELD = "HELD"
    RETRY_LATER = "RETRY_LATER"
    FAILED = "FAILED"


EXIT_CODES: dict[EndState, int] = {
    EndState.SUCCEEDED: 0,
    # Zero, as all that could be written was: a scheduler that saw a failure would repeat it for nothing.
    EndState.SUCCEEDED_WITH_REJECTS: 0,
    EndState.HELD: 3,
    # EX_TEMPFAIL of sysexits.h: schedulers and mail systems know it as "try again".
    EndState.RETRY_LATER: 75,
    EndState.FAILED: 1,
}
EXIT_USAGE = 2
"""Wrong usage or configuration: the run never began, or ended before anything was written."""


class IntegrationError(Exception):
    """Base of every error raised on purpose.

    `message` is for people, one line. `system` (a provider, "internal"), `endpoint` (a path template) and `status`
    (HTTP) say where it happened when the outside was involved; `retry_after` is after how many seconds the outside said
    that it may be asked again, None when it did not.
    """

    # For a kind that does not say its own: no error may pass for a good end.
    state: EndState = EndState.FAILED

    def __init__(
        self,
        message: str,
        *,
        system: str | None = None,
        endpoint: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        # What an outside system or a file said of a record may hold somebody's address.
        self.message = mask_addresses(message)
        super().__init__(self.message)
        self.system = system
        self.endpoint = endpoint
        self.status = status
        self.retry_after = retry_after

    def reworded(self, message: str) -> Self:
        """The same error, of the same kind and with all it carries, under another message."""
        # Not made anew by its class: kinds take arguments of their own.
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        error.message = mask_addresses(message)
        error.args = (error.message,)
        return error

    @property
    def exit_code(self) -> int:
        """Process exit code that belongs to this error."""
        return EXIT_CODES[self.state]


class ConfigurationError(IntegrationError):
    """A setting is missing or wrong. Raised before anything is written; the message names the setting."""

    @property
    def exit_code(self) -> int:
        """Always 2: the person who typed the command has to change something."""
        return EXIT_USAGE


class LaunchError(ConfigurationError):
    """A run was started for no tenant, several or an unknown one, or with nothing to do: who started it sees it."""


class PermanentError(IntegrationError):
    """Running again will not help; a person has to act."""


class CredentialError(PermanentError):
    """A key or token was rejected, or lacks a scope (named in the message)."""


class ContractError(PermanentError):
    """The outside system answered with something its contract does not allow."""


class TransientError(IntegrationError):
    """Running again later is safe and may help."""

    state = EndState.RETRY_LATER


class QuotaError(TransientError):
    """The daily quota or the retry budget is spent."""


class DailyQuotaError(QuotaError):
    """The day's calls are spent: there are new ones after midnight where the other side is at home."""


class UnknownOutcomeError(TransientError):
    """The request was sent and its answer was lost: it may or may not have been applied. Repeat it, then read back."""


class RunStoppedError(TransientError):
    """Dagster ended the run for a reason of its own: its monitoring found that it took too long."""


class RunCancelledError(RunStoppedError):
    """A person ended the run, through Dagster. Nobody is to try it again."""


class LockError(TransientError):
    """Another run of the same tenant and environment holds the staging store. `holder` says which, as far as known."""

    def __init__(self, message: str, *, holder: str = "") -> None:
        super().__init__(message)
        self.holder = holder


class CoordinationError(TransientError):
    """PostgreSQL, through which machines share locks and limits, cannot be used now: nothing was sent."""


class HeldError(IntegrationError):
    """The gate or a guard said no. Nothing was written; `reasons` lists why, one line each."""

    state = EndState.HELD

    def __init__(self, message: str, *, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        # Masked like the message: reasons name records, whose titles are people's own words.
        self.reasons = tuple(map(mask_addresses, reasons))
