"""The one outgoing HTTP client. No other module of the product imports httpx.

`HttpClient.send` takes a `Call` and gives an `Answer` or raises an error of the product's tree. It never follows a
redirect, reads no proxy or netrc settings from the environment, waits for the credential's limiter, counts each request
it sends, bounds each exchange by a total deadline and each body by a size, repeats what is safe to repeat, and lets no
secret into a log line or an error message.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import httpx
import msgspec
import stamina
import stamina.instrumentation
from pydantic import SecretStr

from integration_assets.connectors.body import BodyError, BodyReader, CutBodyError, parse_json
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Limiter, Quota
from integration_assets.connectors.redaction import redact, register
from integration_assets.connectors.rules import LONGEST_WAIT, Action, Answer, Rule, StatusRules
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    IntegrationError,
    PermanentError,
    QuotaError,
    TransientError,
    UnknownOutcomeError,
)

__all__ = ["Answer", "Call", "HttpClient", "StatusRules"]

log = logging.getLogger(__name__)

# At INFO httpx prints whole URLs. Ours is the only request log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)
# By default stamina reports retries through structlog to stdout, where results go. We log them ourselves.
stamina.instrumentation.set_on_retry_hooks(())

CONNECT_SECONDS = 10.0
"""To open a connection, TLS included."""
EXCHANGE_SECONDS = 120.0
"""From sending to the last byte of the body. Above the 100 s after which large hosts give up themselves (524)."""
PATIENCE_SECONDS = 300.0
"""After this much time no further repeat of one call begins."""
REPEATS_PER_CALL = 7
REPEATS_PER_CLIENT = 500
"""Retry budget of one client: an outage must not turn into a flood of requests."""
BODY_BYTES = 32 * 1024 * 1024
"""Largest decoded body."""
IN_FLIGHT = 10


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    `path` is appended to the client's base URL; `endpoint` is its template, for counts and messages
    ("POST /crm/objects/{type}/batch/upsert"). `writes`: it can change the outside system. `repeatable`: safe to send
    again after a lost answer. `bucket` is the limiter's. `expect`: statuses besides 2xx that are handed back instead of
    raised.
    """

    method: str
    path: str
    endpoint: str
    json: Any | None = None
    params: Mapping[str, str] | None = None
    writes: bool = False
    repeatable: bool = True
    bucket: str = DEFAULT_BUCKET
    expect: frozenset[int] = frozenset()


class _Setback(Exception):  # noqa: N818 - a passing state of one call, turned into an error of the tree when it is final
    """An attempt failed in a way that a repeat may mend. `wait` seconds before it, or None for backoff."""

    def __init__(self, error: IntegrationError, *, maybe_applied: bool, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.maybe_applied = maybe_applied
        self.wait = wait


class HttpClient:
    """A client of one system with one credential. Use as an async context manager, in one event loop.

    Args:
        system: Name for counts and messages ("hubspot").
        base_url: Scheme, host and optional path prefix.
        limiter: The credential's limiter, shared by all its clients.
        calls: Where requests are counted.
        rules: What to do on which status.
        headers: Sent with every request; secrets are unwrapped only while sending.
        body_fields: Added to the JSON object of every request: the place of keys that travel in the body.
        deadline: Seconds for one exchange, from sending to the last byte.
        patience: Seconds after which no further repeat of a call begins.
        repeats: Most repeats of one call.
        retry_budget: Most repeats of all calls of this client together.
        in_flight: Most requests at a time.
        body_bytes: Largest decoded body.
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
    ) -> None:
        self._system = system
        self._base_url = _checked_base_url(system, base_url)
        self._host = urlsplit(self._base_url).netloc
        self._limiter = limiter
        self._calls = calls
        self._rules = rules
        self._headers = dict(headers or {})
        self._body_fields = dict(body_fields or {})
        self._deadline = deadline
        self._patience = patience
        self._repeats = repeats
        self._budget = retry_budget
        self._in_flight = in_flight
        self._body_bytes = body_bytes
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(in_flight)
        for value in (*self._headers.values(), *self._body_fields.values()):
            if isinstance(value, SecretStr):
                register(value.get_secret_value())

    @property
    def quota(self) -> Quota:
        """The latest known daily quota of the credential's account."""
        return self._limiter.quota

    @property
    def host(self) -> str:
        """Host and port the client talks to, for messages."""
        return self._host

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        self._slots = asyncio.Semaphore(self._in_flight)
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            # httpx's read timeout starts again with every byte; the deadline of `_exchange` does not. TCP and TLS have
            # the connect timeout each, and must fail by it: a TLS handshake that is cancelled leaks its socket.
            timeout=httpx.Timeout(None, connect=min(CONNECT_SECONDS, self._deadline * 0.4)),
            limits=httpx.Limits(max_connections=self._in_flight, max_keepalive_connections=self._in_flight),
            headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": "integration-assets"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(self, call: Call) -> Answer:
        """Send one call, repeating it where that is safe and may help.

        Raises:
            TransientError: unreachable, 5xx, unusable body, after the last repeat; `QuotaError` when throttled.
            UnknownOutcomeError: a write may or may not have been applied.
            CredentialError: the key or token was rejected.
            PermanentError: refused; `ContractError` when the answer is not what the protocol allows.
        """
        maybe_applied = False
        attempts = 0
        try:
            async for attempt in stamina.retry_context(
                on=lambda error: self._repeat_after(call, error),
                attempts=self._repeats + 1,
                timeout=self._patience,
                wait_initial=0.5,
                wait_max=30.0,
            ):
                with attempt:
                    attempts = attempt.num
                    try:
                        return await self._attempt(call, attempts)
                    except _Setback as setback:
                        maybe_applied = maybe_applied or setback.maybe_applied
                        raise
        except _Setback as setback:
            raise self._final(call, setback.error, attempts, maybe_applied=maybe_applied) from setback.__cause__
        raise ContractError(f"{self._system}: no attempt was made", system=self._system, endpoint=call.endpoint)

    # ------------------------------------------------------------------------------------------------ repeating

    def _repeat_after(self, call: Call, error: Exception) -> bool | float:
        """Whether to send again, or after how many seconds. Called by stamina with what an attempt raised."""
        if not isinstance(error, _Setback) or isinstance(error.error, CertificateError):
            return False
        if error.maybe_applied and call.writes and not call.repeatable:
            return False
        if self._budget <= 0:
            return False
        self._budget -= 1
        log.info("%s %s: %s; sending again", self._system, call.endpoint, error.error.message)
        return True if error.wait is None else error.wait

    def _final(self, call: Call, error: IntegrationError, attempts: int, *, maybe_applied: bool) -> IntegrationError:
        """The error that ends a call after its last attempt."""
        note = f" ({attempts} attempts)" if attempts > 1 else ""
        kind, message = type(error), f"{error.message}{note}"
        if call.writes and maybe_applied:
            kind, message = UnknownOutcomeError, f"{message}; the write may or may not have been applied: read it back"
        return kind(message, system=self._system, endpoint=call.endpoint, status=error.status)

    # ------------------------------------------------------------------------------------------------ one attempt

    async def _attempt(self, call: Call, attempt: int) -> Answer:
        async with self._slots:
            await self._limiter.acquire(call.bucket, patience=self._patience)
            self._calls.sent(self._system, call.endpoint, writes=call.writes, repeat=attempt > 1)
            status, headers, body = await self._exchange(call)
        if call.bucket not in self._rules.unlearnt_buckets:
            self._limiter.learn(call.bucket, headers, self._rules.rate_headers)
        if 200 <= status < 300:
            return Answer(status, headers, self._success_body(call, status, headers, body))
        if 300 <= status < 400:
            target = urlsplit(headers.get("location", "")).hostname or "an unnamed place"
            self._refuse(
                call, ContractError, f"answered {status}, a redirect to {target}, not followed; check the base URL"
            )
        answer = Answer(status, headers, _lenient(body))
        if status == 429:
            self._calls.throttled(self._system, call.endpoint)
        if status not in call.expect:
            self._act(call, answer, attempt)
        return answer

    def _act(self, call: Call, answer: Answer, attempt: int) -> NoReturn:
        """Raise what the table says about a refused call."""
        rule = self._rules.rule_for(answer)
        error = self._error(call, answer, rule)
        if rule.action not in (Action.RETRY, Action.UNKNOWN_OUTCOME):
            raise error
        wait = self._rules.seconds_before_repeat(answer, rule, attempt)
        if wait is not None:
            wait = min(wait * random.uniform(1.0, 1.1) + random.uniform(0, 0.1), LONGEST_WAIT)  # noqa: S311 - jitter
            if rule.pauses:
                self._limiter.pause(call.bucket, wait)
                wait = 0.0
        raise _Setback(error, maybe_applied=rule.action is Action.UNKNOWN_OUTCOME, wait=wait)

    def _error(self, call: Call, answer: Answer, rule: Rule) -> IntegrationError:
        kind = _KINDS.get(rule.action, TransientError)
        if answer.status == 429 and kind is TransientError:
            kind = QuotaError
        parts = (f"answered {answer.status} to {call.endpoint}", self._rules.describe(answer), rule.advice)
        return kind(
            self._message(": ".join(part for part in parts[:2] if part) + (f"; {parts[2]}" if parts[2] else "")),
            system=self._system,
            endpoint=call.endpoint,
            status=answer.status,
        )

    async def _exchange(self, call: Call) -> tuple[int, dict[str, str], bytes]:
        """Send once and read the whole body, within the deadline."""
        if self._client is None:
            raise ConfigurationError(f"the {self._system} client is used outside its `async with` block")
        started = time.monotonic()
        status = 0
        try:
            async with asyncio.timeout(self._deadline), self._opened(self._client, call) as response:
                status = response.status_code
                headers = {name.lower(): value for name, value in response.headers.items()}
                reader = BodyReader(headers.get("content-encoding", ""), self._body_bytes)
                async for chunk in response.aiter_raw():
                    reader.feed(chunk)
                return status, headers, reader.finish()
        except TimeoutError:
            self._lost(call, f"no complete answer within {self._deadline:g} s")
        except httpx.ConnectTimeout:
            self._lost(call, "connecting took too long", sent=False)
        except httpx.ConnectError as error:
            self._unreachable(call, error)
        except (httpx.TransportError, CutBodyError) as error:
            self._lost(call, f"the connection broke ({type(error).__name__})")
        except BodyError as error:
            self._refuse(call, ContractError, f"{error} from {call.endpoint}", status=status)
        except httpx.InvalidURL:
            self._refuse(call, PermanentError, f"{call.endpoint}: the path is not valid in a URL")
        finally:
            spent = (time.monotonic() - started) * 1000
            log.debug("%s %s %s %d %.0f ms", self._system, self._host, call.endpoint, status, spent)

    @asynccontextmanager
    async def _opened(self, client: httpx.AsyncClient, call: Call) -> AsyncIterator[httpx.Response]:
        headers = {name: _revealed(value) for name, value in self._headers.items()}
        content = None
        if call.json is not None or self._body_fields:
            secrets = {name: value.get_secret_value() for name, value in self._body_fields.items()}
            content = msgspec.json.encode({**(call.json or {}), **secrets} if secrets else call.json)
            headers["content-type"] = "application/json"
        url = self._base_url + call.path
        async with client.stream(call.method, url, content=content, params=call.params, headers=headers) as response:
            yield response

    # ------------------------------------------------------------------------------------------------ bodies

    def _success_body(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        """The parsed body of a 2xx answer. What is no JSON at all is an outage, what is bad JSON a broken contract."""
        if not body.strip():
            if call.writes:
                return None
            self._lost(call, f"answered {status} with an empty body to a read", status=status)
        if headers.get("content-type", "").startswith("text/html") or body.lstrip()[:1] == b"<":
            log.warning("%s %s: HTML: %s", self._system, call.endpoint, redact(body[:200].decode("utf-8", "replace")))
            self._lost(call, f"answered {status} with a web page instead of JSON", status=status)
        try:
            return parse_json(body)
        except CutBodyError:
            self._lost(call, f"answered {status} with JSON that ends too early", status=status)
        except BodyError as error:
            if call.writes:
                # The write was accepted; only its receipt is unreadable.
                self._lost(call, f"answered {status}, {error}", status=status)
            self._refuse(call, ContractError, f"{error} from {call.endpoint}", status=status)

    # ------------------------------------------------------------------------------------------------ failing

    def _message(self, text: str) -> str:
        return redact(f"{self._system} ({self._host}) {text}")

    def _lost(self, call: Call, what: str, *, sent: bool = True, status: int | None = None) -> NoReturn:
        error = TransientError(self._message(what), system=self._system, endpoint=call.endpoint, status=status)
        raise _Setback(error, maybe_applied=sent) from None

    def _unreachable(self, call: Call, error: httpx.ConnectError) -> NoReturn:
        reason = redact(str(error)) or type(error).__name__
        certificate = "CERTIFICATE_VERIFY_FAILED" in reason
        kind = CertificateError if certificate else TransientError
        text = f"cannot be reached: {reason}"
        raise _Setback(
            kind(self._message(text), system=self._system, endpoint=call.endpoint), maybe_applied=False
        ) from None

    def _refuse(self, call: Call, kind: type[IntegrationError], text: str, *, status: int | None = None) -> NoReturn:
        raise kind(self._message(text), system=self._system, endpoint=call.endpoint, status=status) from None


class CertificateError(TransientError):
    """The host's TLS certificate is not trusted or has expired. Repeating at once cannot help."""


_KINDS: dict[Action, type[IntegrationError]] = {
    Action.CREDENTIAL: CredentialError,
    Action.QUOTA: QuotaError,
    Action.PERMANENT: PermanentError,
}


def _checked_base_url(system: str, base_url: str) -> str:
    """The base URL without a final slash.

    Raises:
        ConfigurationError: not an http(s) URL with a host, or with user, query or fragment in it.
    """
    try:
        parts = urlsplit(base_url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the {system} base URL must look like https://host/path, with no user, query or fragment"
        )
    return base_url.rstrip("/")


def _revealed(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _lenient(body: bytes) -> Any:
    """An error answer's body, or None: proxies answer with pages, and a refusal stays a refusal without its JSON."""
    try:
        return parse_json(body)
    except BodyError:
        return None
