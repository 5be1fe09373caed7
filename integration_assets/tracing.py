"""Spans of OpenTelemetry: of a run and its steps, of calls to outside systems, and of requests to the pages.

Nothing of OpenTelemetry is imported here before `trace_with` has been given its tracer, which `trace_export` does where
the environment asks for it; until then every block below is left as it is entered. A span names methods, hosts, route
templates, statuses and counts. It never has a path as asked, a query, a header, a body, the text of an error, or who
asked: whoever collects spans is not always who may read the CRM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanKind, Tracer

Value = str | int | float | bool
PREFIX = "integration_assets."
"""Of attributes that OpenTelemetry has no name for."""

_tracer: Tracer | None = None
_work: list[Span] = []
"""Runs and steps in progress, innermost last. Per process and no context variable, as with the fields of the log:
Dagster runs steps in contexts of their own, and systems are waited for in threads."""


class Noted:
    """Everything to be said of the work in progress; nowhere, where nothing is traced."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def note(self, **attributes: Value) -> None:
        """Add attributes, by names in which `__` stands for a dot."""
        if self._span is not None:
            self._span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})

    def rename(self, name: str) -> None:
        """Name the span anew."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, kind: str) -> None:
        """Mark it as failed, by a kind of error."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", kind)


_UNTRACED = Noted(None)


def trace_with(tracer: Tracer | None) -> None:
    """Begin spans with this tracer from now on; None: no more."""
    global _tracer  # noqa: PLW0603 - a process sends its spans to one place
    _tracer = tracer


@contextmanager
def work_span(name: str, **attributes: Value) -> Iterator[Noted]:
    """A span of a run or of one of its steps: the parent of what begins inside, in whatever thread."""
    with _span(name, attributes) as span:
        if span is None:
            yield _UNTRACED
            return
        _work.append(span)
        try:
            yield Noted(span)
        finally:
            _work[:] = [one for one in _work if one is not span]


@contextmanager
def call_span(system: str, method: str, host: str, endpoint: str) -> Iterator[Noted]:
    """A span of one call to an outside system, its repeats included. `endpoint` is the method and the route template.

    `host` may have a port. The system is not told of the trace: what it is asked stays as it is.
    """
    if _tracer is None:
        yield _UNTRACED
        return
    from opentelemetry.trace import SpanKind

    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    attributes: dict[str, Value] = {
        f"{PREFIX}system": system,
        "http.request.method": method,
        "server.address": name.strip("[]"),
    }
    if port:
        attributes["server.port"] = int(port)
    # Signed addresses of files have no template, and are secrets.
    if template := endpoint.removeprefix(method).strip():
        attributes["url.template"] = template
    with _span(f"{method} {template}".strip(), attributes, SpanKind.CLIENT) as span:
        yield Noted(span)


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Noted]:
    """A span of one request to the pages, in the trace that its headers name (W3C Trace Context) if they name one."""
    if _tracer is None:
        yield _UNTRACED
        return
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind, use_span

    span = _tracer.start_span(
        method, propagate.extract(headers), SpanKind.SERVER, {"http.request.method": method}, record_exception=False
    )
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        yield Noted(span)


@contextmanager
def _span(name: str, attributes: Mapping[str, Value], kind: SpanKind | None = None) -> Iterator[Span | None]:
    if _tracer is None:
        yield None
        return
    from opentelemetry import trace

    # What a request to the pages asks is part of it; what a run asks, in whatever thread, is part of its step.
    parent = trace.get_current_span()
    if not parent.get_span_context().is_valid and _work:
        parent = _work[-1]
    span = _tracer.start_span(
        name, trace.set_span_in_context(parent), kind or trace.SpanKind.INTERNAL, dict(attributes)
    )
    try:
        yield span
    # The kind alone: a text may quote a record or an address.
    except BaseException as error:
        Noted(span).fail(type(error).__name__)
        raise
    finally:
        span.end()
