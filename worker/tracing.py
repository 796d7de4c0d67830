"""Traces (OpenTelemetry): from a producer's `traceparent` to the POST of the batch that holds its records.

Off unless `TURNOUT_TRACING` says so (`worker.tracing_setup`): then nothing is imported, and each call here is one
comparison. A span names nobody: its attributes are ids, numbers and words of our own, as a log line's fields are, and
of an error only its kind.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from worker.foreign_lines import kind_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, Tracer

MOST_LINKS: Final = 128
"""Producers that a batch is linked to, at most: as many links as OpenTelemetry's SDK keeps of a span by default."""

Attributes = Mapping[str, str | int]
Note = Callable[[Attributes, str], None]
"""Adds attributes to a span, and what failed, where something did."""

_tracer: "Tracer | None" = None


def begin(tracer: "Tracer | None") -> None:
    """Trace with this from now on; None: no more."""
    global _tracer  # noqa: PLW0603 - what a process traces with, as OpenTelemetry's own
    _tracer = tracer


def is_on() -> bool:
    """Say whether this process traces."""
    return _tracer is not None


def sampled(traceparent: str) -> str:
    """Give a producer's `traceparent` in its one spelling; nothing where it is not valid, or not sampled."""
    if _tracer is None or not traceparent:
        return ""
    from opentelemetry.trace import get_current_span

    span = get_current_span(_context_of(traceparent)).get_span_context()
    if not span.is_valid or not span.trace_flags.sampled:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-01"


def ids() -> dict[str, object]:
    """Give the ids of the span that is open in this thread, for its log lines; nothing where none is."""
    if _tracer is None:
        return {}
    from opentelemetry.trace import get_current_span

    span = get_current_span().get_span_context()
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"} if span.is_valid else {}


@contextmanager
def messages(name: str, traceparents: Sequence[str]) -> Iterator[Sequence["Span"]]:
    """Open a span for each message, in the trace of its producer; give them, or nothing where traces are off.

    Log lines carry the ids of a message that comes alone.
    """
    if _tracer is None:
        yield ()
        return
    from opentelemetry.trace import INVALID_SPAN, SpanKind, use_span

    spans = [_tracer.start_span(name, _context_of(one), SpanKind.CONSUMER) for one in traceparents]
    try:
        with use_span(
            spans[0] if len(spans) == 1 else INVALID_SPAN, record_exception=False, set_status_on_exception=False
        ):
            yield spans
    except Exception as error:
        for span in spans:
            _failed(span, kind_of(error))
        raise
    finally:
        for span in spans:
            span.end()


def now() -> int:
    """Give the moment, in nanoseconds, at which something began that may come to be traced."""
    return time.time_ns()


def asked(producers: Callable[[int], Sequence[str]]) -> Sequence[str]:
    """Give the `traceparent`s of a batch's producers, so many at most; where traces are off nothing is asked."""
    return producers(MOST_LINKS) if _tracer is not None else ()


@contextmanager
def batch(began: int, attributes: Attributes, producers: Sequence[str]) -> Iterator[None]:
    """Open the trace of a batch that was claimed since `began`; it is linked to the `traceparent`s of its producers."""
    if _tracer is None:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, set_span_in_context, use_span

    links = [link for one in producers for link in _link(one)]
    span = _tracer.start_span("deliver", Context(), SpanKind.CONSUMER, dict(attributes), links, began)
    _tracer.start_span("claim", set_span_in_context(span), start_time=began).end()
    try:
        with use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except Exception as error:
        _failed(span, kind_of(error))
        raise
    finally:
        span.end()


@contextmanager
def step(name: str, attributes: Attributes, *, calls: bool = False) -> Iterator[Note]:
    """Open a span inside that of the batch; one that `calls` HubSpot has the batch's links too."""
    if _tracer is None:
        yield _off
        return
    from opentelemetry.trace import SpanKind, get_current_span, use_span

    links = getattr(get_current_span(), "links", ()) if calls else ()
    kind = SpanKind.CLIENT if calls else SpanKind.INTERNAL
    span = _tracer.start_span(name, kind=kind, attributes=dict(attributes), links=links)

    def note(more: Attributes, failed: str = "") -> None:
        span.set_attributes(dict(more))
        if failed:
            _failed(span, failed)

    try:
        with use_span(span, record_exception=False, set_status_on_exception=False):
            yield note
    except Exception as error:
        _failed(span, kind_of(error))
        raise
    finally:
        span.end()


def _off(_: Attributes, __: str = "") -> None:
    pass


def _failed(span: "Span", what: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, what)


def _context_of(traceparent: str) -> "Context":
    """Read a producer's context; one that is not valid is none, and never an error."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())


def _link(traceparent: str) -> Sequence["Link"]:
    from opentelemetry.trace import Link, get_current_span

    context = get_current_span(_context_of(traceparent)).get_span_context()
    return [Link(context)] if context.is_valid else []
