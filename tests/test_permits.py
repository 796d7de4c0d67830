"""Who waits for a permit, and who does not."""

from worker.context import WAITERS, Context
from worker.delivery.permits import ASKS, permit
from worker.settings import Settings


def test_where_half_of_a_process_waits_the_others_ask_without_waiting(settings: Settings) -> None:
    context = Context(settings.model_copy(update={"burst_limit": 1, "burst_seconds": 60.0}))
    to = context.destination("default")
    for _ in range(2 * WAITERS):  # whoever waited waits no more
        permit(context, to, patience=0)
    context.redis.delete(ASKS)
    assert all(context.waiters.acquire(blocking=False) for _ in range(WAITERS))
    assert permit(context, to, patience=30) is None
    assert context.redis.zrange(ASKS, 0, -1) == [b"default"], "it is woken when it may ask again"
    context.engine.dispose()
    context.redis.close()
    context.limiter_redis.close()
