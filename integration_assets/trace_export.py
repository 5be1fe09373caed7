"""The place spans go to: a collector of OpenTelemetry, as its usual variables say.

Needs the extra `otel`. What cannot be set up is one warning, and the work goes on without spans: a cluster may set
these variables for every container in it, and monitoring is not what a sync depends on. May import `config`,
`connectors` and `errors`.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from integration_assets import __version__
from integration_assets.config import TraceSettings, load_trace_settings
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError
from integration_assets.tracing import trace_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

SERVICE_NAME = "integration-assets"
INSTALL = "pip install 'integration-assets[otel]'"
_known: TraceSettings | None = None
_provider: TracerProvider | None = None


def ensure_traced() -> None:
    """Send spans from now on where the environment asks for it. Asked again, nothing changes.

    Nothing of OpenTelemetry is imported where it does not.
    """
    global _known  # noqa: PLW0603 - there is one environment per process
    try:
        settings = load_trace_settings()
        if settings == _known:
            return
        stop_tracing()  # a process that is given another environment, as tests are
        _known = settings
        if not settings.exporters:
            return
        # Before anything can fail: the exporter logs what it could not send, and where to.
        for secret in settings.secrets():
            register(secret)
        _begin(settings)
    except ConfigurationError as error:
        log.warning("no spans are sent: %s", error.message)
    except ImportError:
        log.warning("no spans are sent, though OTEL_* variables ask for them: %s adds what sends them", INSTALL)
    # Said by the libraries about a variable that only they read.
    except (ValueError, RuntimeError, OSError) as error:
        log.warning("no spans are sent: OpenTelemetry does not start: %s", error)


def stop_tracing() -> None:
    """Send what is left, and no more spans: for a process that goes on without them."""
    global _known, _provider  # noqa: PLW0603 - the same
    trace_with(None)
    if _provider is not None:
        _provider.shutdown()
    _known = _provider = None


def _begin(settings: TraceSettings) -> None:
    # For its variable, OTEL_PROPAGATORS: read by the first request to the pages, a wrong one would fail all of them.
    from opentelemetry import propagate  # noqa: F401
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME as NAME
    from opentelemetry.sdk.resources import SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    global _provider  # noqa: PLW0603 - kept to be shut down
    named = Resource.create({SERVICE_VERSION: __version__})
    # The SDK's own default says nothing of who sends; OTEL_RESOURCE_ATTRIBUTES may name a service as well.
    if str(named.attributes.get(NAME, "unknown_service")).startswith("unknown_service"):
        named = named.merge(Resource({NAME: SERVICE_NAME}))
    # Not made the provider of the whole process: instrumentation of other libraries would send through it what ours
    # leaves out.
    _provider = TracerProvider(resource=named)
    if "otlp" in settings.exporters:
        _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # stdout is for results.
    if "console" in settings.exporters:
        _provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    trace_with(_provider.get_tracer(SERVICE_NAME, __version__))
