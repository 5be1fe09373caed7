"""A collector of OpenTelemetry: what it is sent by OTLP over HTTP, decoded by the official messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What came in. `requests` are the bytes as they were sent; `headers` those of each request, names lower-case."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def decoded(self) -> list[ExportTraceServiceRequest]:
        """The requests."""
        return [ExportTraceServiceRequest.FromString(body) for body in self.requests]

    def spans(self) -> list[Span]:
        """All spans, in the order in which they began."""
        found = [
            span
            for request in self.decoded()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def text(self) -> str:
        """All that is readable: names, and attributes of spans and of their sender."""
        named = [f"{span.name} {attributes_of(span)} {span.status.message} {span.events}" for span in self.spans()]
        return "\n".join([str(self.resource()), *named])

    def resource(self) -> dict[str, str]:
        """What the sender says it is, in its first request."""
        attributes = self.decoded()[0].resource_spans[0].resource.attributes
        return {one.key: one.value.string_value for one in attributes}

    def children(self, parent: Span) -> list[Span]:
        """The spans right below one, in the order in which they began."""
        return [span for span in self.spans() if span.parent_span_id == parent.span_id]


def attributes_of(span: Span) -> dict[str, str | int]:
    """The attributes of a span."""
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
        for one in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.requests.append(self.rfile.read(int(self.headers["content-length"])))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing to stderr, which tests read."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
