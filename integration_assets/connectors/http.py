"""The one outgoing HTTP client.

`HttpClient.send` takes a `Call` and gives an `Answer` or raises an error of the product's tree. It waits for the
credential's limiter, counts each request it sends, repeats what is safe to repeat, and lets no secret into a log line
or an error message. `exchange` sends; `rules` say what to do on which status; `limiter` paces; `calls` counts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import msgspec
import stamina
import stamina.instrumentation
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.body import BodyError, CutBodyError, LargeBodyError, parse_json
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.exchange import Exchange, FormFile, LostError, RawAnswer, UnreadableError
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Lease, Limiter, Quota
from integration_assets.connectors.redaction import redact
from integration_assets.connectors.rules import LONGEST_WAIT, Action, Answer, Rule, StatusRules, retry_after
from integration_assets.errors import (
    ContractError,
    CoordinationError,
    CredentialError,
    DailyQuotaError,
    IntegrationError,
    LockError,
    PermanentError,
    QuotaError,
    TransientError,
    UnknownOutcomeError,
)
from integration_assets.tracing import Noted, call_span

__all__ = ["Answer", "Call", "FormFile", "HttpClient", "StatusRules"]

log = logging.getLogger(__name__)

# By default stamina reports retries through structlog to stdout, where results go. We log them ourselves.
stamina.instrumentation.set_on_retry_hooks(())

EXCHANGE_SECONDS = 120.0
"""From sending to the last byte of the body. Above the 100 s after which large hosts give up themselves (524)."""
MARGIN_SECONDS = 10.0
"""For a call's way around its exchange; what is on its way for longer is of a process that died."""
PATIENCE_SECONDS = 300.0
"""After this much time no further repeat of one call begins."""
_READABLE_HOST = re.compile(r"[a-z0-9._:-]{1,253}")
_JITTER = random.SystemRandom()
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LONGEST_SECONDS = 30.0
"""Waits before repeats grow from the first to the second, where the system did not say how long."""
REPEATS_PER_CALL = 7
REPEATS_PER_CLIENT = 500
"""Retry budget of one client: an outage must not turn into a flood of requests."""
BODY_BYTES = 32 * 1024 * 1024
"""Largest decoded body."""
IN_FLIGHT = 10
LONG_WAIT_SECONDS = 10.0
"""From here on a wait is worth a line that shows without being asked for."""
LONGEST_NAMED = 7 * 86_400.0
"""Seconds. A moment further off than a week is no appointment but a mistake."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    `path` is appended to the client's base URL; `endpoint` is its template, for counts and messages
    ("POST /crm/objects/{type}/batch/upsert"). `json`, `form` or `files` is the body, `headers` go beside the client's.
    `writes`: it can change the outside system. `repeatable`: safe to send again after a lost answer. `bucket` is the
    limiter's. `expect`: statuses besides 2xx that are handed back instead of raised.
    """

    method: str
    path: str
    endpoint: str
    json: Any | None = None
    form: Mapping[str, SecretStr | str] | None = None
    files: tuple[FormFile, ...] = ()
    params: Mapping[str, str] | None = None
    headers: Mapping[str, SecretStr | str] | None = None
    writes: bool = False
    repeatable: bool = True
    bucket: str = DEFAULT_BUCKET
    expect: frozenset[int] = frozenset()


class _Setback(Exception):  # noqa: N818 - a passing state of one call, turned into an error of the tree when it is final
    """The attempt with the number `attempt` failed. `wait` seconds before a repeat, or None for at least `backoff`."""

    def __init__(self, error: IntegrationError, *, maybe_applied: bool, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.maybe_applied = maybe_applied
        self.wait = wait
        self.attempt = 1
        self.backoff = 0.0


class HttpClient:
    """A client of one system with one credential. Use as an async context manager, in one event loop.

    Args:
        system: Name for counts and messages: the provider.
        base_url: Scheme, host and optional path prefix.
        limiter: The credential's limiter, shared by all its clients.
        calls: Where requests are counted.
        rules: What to do on which status.
        headers: Sent with every request; secrets are unwrapped only while sending.
        body_fields: Added to the JSON object of every request: the place of keys that travel in the body.
        deadline: Seconds for one exchange, from sending to the last byte.
        patience: Seconds after which no further repeat of a call begins, and the longest wait for the limiter.
        repeats: Most repeats of one call.
        retry_budget: Most repeats of all calls of this client together.
        in_flight: Most requests at a time.
        body_bytes: Largest decoded body.
        before_write: Called just before each request that can change the outside system, repeats included. What it
            raises ends the call: nothing was sent.
        guard: Decides which addresses may be asked; None when the base URL is the operator's own.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        limiter: Limiter,
        calls: CallCounter,
        rules: StatusRules,
        headers: Mapping[str, SecretStr | str] | None = None,
        body_fields: Mapping[str, SecretStr] | None = None,
        deadline: float = EXCHANGE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        repeats: int = REPEATS_PER_CALL,
        retry_budget: int = REPEATS_PER_CLIENT,
        in_flight: int = IN_FLIGHT,
        body_bytes: int = BODY_BYTES,
        before_write: Callable[[], None] | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._before_write = before_write
        self._system = system
        self._limiter = limiter
        self._calls = calls
        self._rules = rules
        self._longest = deadline + MARGIN_SECONDS
        self._patience = patience
        self._repeats = repeats
        self._budget = retry_budget
        self._in_flight = in_flight
        self._slots = asyncio.Semaphore(in_flight)
        self._exchange = Exchange(
            system=system,
            base_url=base_url,
            headers=headers or {},
            body_fields=body_fields or {},
            deadline=deadline,
            connections=in_flight,
            body_bytes=body_bytes,
            guard=guard,
        )

    @property
    def quota(self) -> Quota:
        """The latest known daily quota of the credential's account."""
        return self._limiter.quota

    @property
    def host(self) -> str:
        """Host and port the client talks to, for messages."""
        return self._exchange.host

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        self._slots = asyncio.Semaphore(self._in_flight)
        self._exchange.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._exchange.close()

    async def send(self, call: Call) -> Answer:
        """Send one call, repeating it where that is safe and may help.

        Raises:
            TransientError: unreachable, 5xx, unusable body, after the last repeat; `QuotaError` when throttled.
            UnknownOutcomeError: a write may or may not have been applied.
            CredentialError: the key or token was rejected.
            PermanentError: refused; `ContractError` when the answer is not what the protocol allows.
        """
        with call_span(self._system, call.method, self.host, call.endpoint) as span:
            return await self._send(call, span)

    async def _send(self, call: Call, span: Noted) -> Answer:
        lost, attempts, began = False, 0, time.monotonic()

        def repeat_after(error: Exception) -> bool | float:
            # Asked about the last attempt as well, which no repeat follows.
            over = attempts > self._repeats or time.monotonic() - began >= self._patience
            return False if over else self._repeat_after(call, error)

        try:
            async for attempt in stamina.retry_context(
                on=repeat_after,
                attempts=self._repeats + 1,
                timeout=None,
                wait_initial=BACKOFF_FIRST_SECONDS,
                wait_max=BACKOFF_LONGEST_SECONDS,
            ):
                with attempt:
                    attempts = attempt.num
                    if attempts > 1:
                        span.note(http__request__resend_count=attempts - 1)
                    try:
                        answer = await self._attempt(call, attempts, span)
                        # Expected or not, a refused repeat says nothing of the attempt before it.
                        if lost and not 200 <= answer.status < 300:
                            raise self._refusal(call, answer, self._rules.rule_for(answer))
                        return msgspec.structs.replace(answer, after_loss=lost)
                    except _Setback as setback:
                        lost = lost or (call.writes and setback.maybe_applied)
                        setback.attempt, setback.backoff = attempt.num, attempt.next_wait
                        raise
        except _Setback as setback:
            raise self._final(call, setback.error, attempts, maybe_applied=lost) from None
        except LockError:
            raise  # what forbids a write is no answer of the other side: nothing is added to it
        except IntegrationError as error:
            # Nor is a limit that nobody can be asked for; only an earlier attempt may have arrived.
            if isinstance(error, CoordinationError) and not lost:
                raise
            if lost or isinstance(error, TransientError):
                raise self._final(call, error, attempts, maybe_applied=lost) from None
            raise
        raise ContractError(f"{self._system}: no attempt was made", system=self._system, endpoint=call.endpoint)

    # ------------------------------------------------------------------------------------------------ repeating

    def _repeat_after(self, call: Call, error: Exception) -> bool | float:
        """Decide whether to send again, or after how many seconds. Called by stamina with what an attempt raised."""
        if not isinstance(error, _Setback) or self._budget <= 0:
            return False
        # A write that may have arrived and is not safe to repeat would be made twice: the caller reads back instead.
        if error.maybe_applied and call.writes and not call.repeatable:
            return False
        self._budget -= 1
        seconds = error.backoff if error.wait is None else error.wait
        log.log(
            # A wait that a person notices.
            logging.WARNING if seconds >= LONG_WAIT_SECONDS else logging.INFO,
            "%s; sending again %s",
            # The advice of most rules is for the person who gets the error, should it come to that.
            error.error.message.removesuffix("; run again later"),
            # A refusal for going too fast makes every call wait: the limiter says for how long.
            f"after {seconds:.1f} s" if seconds else "when the limit allows it",
            extra={
                "system": self._system,
                "endpoint": call.endpoint,
                "status": error.error.status,
                "attempt": error.attempt,
                "wait_seconds": round(seconds, 3),
            },
        )
        return True if error.wait is None else error.wait

    def _final(self, call: Call, error: IntegrationError, attempts: int, *, maybe_applied: bool) -> IntegrationError:
        """The error that ends a call after its last attempt."""
        note = f" ({attempts} attempts)" if attempts > 1 else ""
        kind, message = type(error), f"{error.message}{note}"
        # Not a failure: the caller must not send it again before it has looked whether it is there.
        if maybe_applied:
            kind, message = UnknownOutcomeError, f"{message}; the write may or may not have been applied: read it back"
        return kind(
            message,
            system=self._system,
            endpoint=call.endpoint,
            status=error.status,
            retry_after=error.retry_after,
        )

    # ------------------------------------------------------------------------------------------------ one attempt

    async def _attempt(self, call: Call, attempt: int, span: Noted) -> Answer:
        place = await self._place(call)
        try:
            # The wait for a free call may have been long: the run lock may have passed on meanwhile.
            if call.writes and self._before_write is not None:
                self._before_write()
            self._calls.sent(self._system, call.endpoint, writes=call.writes, repeat=attempt > 1)
            raw = await self._sent(call, attempt, span)  # asks once more: to get a connection can take long
        finally:
            self._slots.release()
            # Also after an error: a call without an answer would hold its share of the window until it is given up.
            self._noted(lambda: self._limiter.over(place))
        self._noted(lambda: self._limiter.learn(call.bucket, raw.headers, self._rules.rate_headers))
        if 200 <= raw.status < 300:
            return Answer(raw.status, raw.headers, self._success_body(call, raw))
        # Following it would send the credential to an address that nobody configured.
        if 300 <= raw.status < 400:
            target = _redirect_host(raw.headers.get("location", ""))
            redirected = f"answered {raw.status}, a redirect to {target}, not followed; check the base URL"
            raise self._error(ContractError, call, redirected, raw.status)
        answer = Answer(raw.status, raw.headers, _lenient(raw.body))
        if raw.status == 429:
            self._calls.throttled(self._system, call.endpoint)
            self._noted(lambda: self._limiter.throttled(place))
        if raw.status not in call.expect:
            self._act(call, answer, attempt)
        return answer

    async def _place(self, call: Call) -> Lease:
        """A place in the limits and one of the slots, both to be given back.

        Raises:
            QuotaError: the limits leave none in time.
            PermanentError: the log of calls cannot be used; nothing is sent, as the limits could not be kept.
            CoordinationError: it is in PostgreSQL, which cannot be used now; likewise.
        """
        try:
            return await self._limiter.acquire(
                call.bucket, patience=self._patience, longest=self._longest, slots=self._slots
            )
        except OSError as error:
            unusable = f"not sent: the shared log of calls cannot be used ({error.strerror}); fix its directory"
            raise self._error(PermanentError, call, unusable) from error

    def _noted(self, note: Callable[[], None]) -> bool:
        """Tell the limiter what an exchange came to; False where the log of calls cannot be written.

        The exchange is over: an error here would hide the answer of a write that was made. Limits stay safe, as a call
        that was not noted as over counts as under way for as long as it could last.
        """
        try:
            note()
        except (OSError, CoordinationError) as error:
            log.warning(
                "%s: the shared log of calls cannot be written (%s); calls count for longer until it can",
                self._system,
                error.strerror if isinstance(error, OSError) else error.message,
            )
            return False
        return True

    async def _sent(self, call: Call, attempt: int, span: Noted) -> RawAnswer:
        """One exchange, with its line in the request log, and its failures as what they mean for this call."""
        started, outcome = time.monotonic(), "no answer"
        try:
            raw = await self._exchange.send(
                call.method,
                call.path,
                call.json,
                call.params,
                form=call.form,
                files=call.files,
                headers=call.headers,
                before_bytes=self._before_write if call.writes else None,
            )
            outcome = str(raw.status)
            span.note(http__response__status_code=raw.status)
        except LostError as lost:
            # A certificate or a closed address does not become good by trying again.
            if lost.permanent:
                raise self._error(PermanentError, call, lost.reason) from None
            self._setback(call, lost.reason, maybe_applied=lost.sent)
        except UnreadableError as unreadable:
            outcome = str(unreadable.status)
            span.note(http__response__status_code=unreadable.status)
            self._unreadable(call, unreadable.reason, unreadable.status, large=unreadable.large)
        finally:
            spent = (time.monotonic() - started) * 1000
            log.debug(
                "%s %s %s %s %.0f ms%s",
                self._system,
                self.host,
                # The template: a path holds ids of records, its query what was asked for.
                call.endpoint,
                outcome,
                spent,
                f", attempt {attempt}" if attempt > 1 else "",
                extra={
                    "system": self._system,
                    "method": call.method,
                    "endpoint": call.endpoint,
                    "status": outcome,
                    "ms": round(spent),
                    "attempt": attempt,
                },
            )
        return raw

    def _success_body(self, call: Call, raw: RawAnswer) -> Any:
        """The parsed body of a 2xx answer. What is no JSON at all is an outage, what is bad JSON a broken contract."""
        status, body = raw.status, raw.body
        if not body or body.isspace():
            if call.writes:
                return None
            # A read with nothing in it would look like an empty list, and records would be retired for it.
            self._setback(call, f"answered {status} with an empty body to a read", status=status)
        # A login page or a maintenance notice in place of the API: it passes, and is no broken contract.
        if raw.headers.get("content-type", "").startswith("text/html") or body[:1024].lstrip()[:1] == b"<":
            log.warning("%s %s: HTML: %s", self._system, call.endpoint, redact(body[:200].decode("utf-8", "replace")))
            self._setback(call, f"answered {status} with a web page instead of JSON", status=status)
        try:
            return parse_json(body)
        except CutBodyError:
            self._setback(call, f"answered {status} with JSON that ends too early", status=status)
        except BodyError as error:
            self._unreadable(call, str(error), status, large=isinstance(error, LargeBodyError))

    def _act(self, call: Call, answer: Answer, attempt: int) -> NoReturn:
        """Raise what the table says about a refused call."""
        rule = self._rules.rule_for(answer)
        error = self._refusal(call, answer, rule)
        if rule.action not in (Action.RETRY, Action.UNKNOWN_OUTCOME):
            raise error
        wait = self._rules.seconds_before_repeat(answer, rule, attempt)
        if wait is not None:
            # Clients that were refused together would come back together, and be refused again.
            wait = pause = min(wait * _JITTER.uniform(1.0, 1.1) + _JITTER.uniform(0, 0.1), LONGEST_WAIT)
            # A refusal for going too fast concerns every call of the bucket: the limiter makes all of them wait.
            # Where it cannot be told, this call at least waits.
            if rule.pauses and self._noted(lambda: self._limiter.pause(call.bucket, pause)):
                wait = 0.0
        raise _Setback(error, maybe_applied=rule.action is Action.UNKNOWN_OUTCOME, wait=wait)

    # ------------------------------------------------------------------------------------------------ errors

    def _refusal(self, call: Call, answer: Answer, rule: Rule) -> IntegrationError:
        kind = _KINDS.get(rule.action, TransientError)
        if answer.status == 429 and kind is TransientError:
            kind = QuotaError
        said = self._rules.describe(answer)
        what = f"answered {answer.status}{': ' if said else ''}{said}{'; ' if rule.advice else ''}{rule.advice}"
        asked = retry_after(answer.headers)
        named = asked if asked is not None and 0 < asked <= LONGEST_NAMED else None
        return self._error(kind, call, what, answer.status, retry_after=named)

    def _unreadable(self, call: Call, reason: str, status: int, *, large: bool = False) -> NoReturn:
        """Of a write only the receipt is unreadable; a server in trouble may recover; all else is a broken contract."""
        what = f"answered {status} with {reason}"
        # The write was accepted, only its receipt cannot be read: it is read back, not given up.
        if call.writes or status >= 500:
            self._setback(call, what, status=status)
        raise self._error(LargeAnswerError if large else ContractError, call, what, status)

    def _setback(self, call: Call, what: str, *, status: int | None = None, maybe_applied: bool = True) -> NoReturn:
        error = self._error(TransientError, call, what, status)
        raise _Setback(error, maybe_applied=maybe_applied) from None

    def _error(
        self,
        kind: type[IntegrationError],
        call: Call,
        what: str,
        status: int | None = None,
        *,
        retry_after: float | None = None,
    ) -> IntegrationError:
        message = redact(f"{self._system} ({self.host}), {call.endpoint}: {what}")
        return kind(message, system=self._system, endpoint=call.endpoint, status=status, retry_after=retry_after)


class LargeAnswerError(ContractError):
    """The answer to a read is larger than the client takes. A call that asks for less may succeed."""


_KINDS: dict[Action, type[IntegrationError]] = {
    Action.CREDENTIAL: CredentialError,
    Action.QUOTA: DailyQuotaError,
    Action.PERMANENT: PermanentError,
}


def _redirect_host(location: str) -> str:
    """Name where a redirect leads, for a message: the host of its target if that is one people can read."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return host if _READABLE_HOST.fullmatch(host) else "an unnamed place"


def _lenient(body: bytes) -> Any:
    """An error answer's body, or None: proxies answer with pages, and a refusal stays a refusal without its JSON."""
    try:
        return parse_json(body)
    except BodyError:
        return None
