"""Begins the traces of a process: spans are sent by OTLP over HTTP. Imported only where `TURNOUT_TRACING` is on.

Where they go, which are sampled and how they are batched is OpenTelemetry's own configuration, `OTEL_…`, which its SDK
reads. What it cannot send it drops: no record waits for a collector.
"""

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from worker import tracing
from worker.outage import Outage
from worker.version import version


class Exporter(OTLPSpanExporter):
    """Sends spans; an outage of their collector is two lines in the log, and not one for each try."""

    def __init__(self) -> None:
        super().__init__()
        self._outage = Outage("the collector of traces", "its spans are lost, no record is")
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some."""
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outage.answered()
        else:
            self._outage.failed(ConnectionError())
        return result


def set_up(kind: str) -> TracerProvider:
    """Trace from now on; `kind` is the process's, such as «worker of attendance.deliver»."""
    ours = Resource({"service.name": "turnout", "service.version": version(), "turnout.process": kind})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(Exporter()))
    tracing.begin(provider.get_tracer("turnout", version()))
    return provider
