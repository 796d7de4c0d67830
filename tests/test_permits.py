"""Who waits for a permit, and who does not."""

from worker.context import WAITERS, Context
from worker.delivery.permits import ASKS, permit
from worker.settings import Settings


def test_where_half_of_a_process_waits_the_others_ask_without_waiting(settings: Settings) -> None:
    process = Context(settings.model_copy(update={"burst_limit": 1, "burst_seconds": 1.0}))
    to = process.destination("default")
    for _ in range(2 * WAITERS):  # whoever waited waits no more
        permit(process, to, patience=0)
    process.redis.delete(ASKS)
    assert all(process.waiters.acquire(blocking=False) for _ in range(WAITERS))
    assert permit(process, to, patience=30) is None
    assert process.redis.zrange(ASKS, 0, -1) == [b"default"], "it is woken when it may ask again"
    process.engine.dispose()
    process.redis.close()
    process.limiter_redis.close()
