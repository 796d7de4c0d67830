"""The context of a process for tests that call its functions directly, with settings changed where a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.context import Context
from worker.settings import Settings


@contextmanager
def open_context(settings: Settings, **changed: object) -> Iterator[Context]:
    """Give a context, and close what it holds when the block ends."""
    context = Context(settings.model_copy(update=changed))
    yield context
    context.engine.dispose()
    context.redis.close()
