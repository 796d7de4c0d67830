"""The newest batch of an event that has a contact in it: two sorted lists, leapt down to the newest they share.

Walking the contact's batches, or the event's, would make a flood elsewhere everybody's wait: with a hundred people who
had 10,000 waiting records each in one event, accepting them in another took 5 s, and the claim of an older retry 20 s.
"""


def newest(batch: str, record: str) -> str:
    """Give the SQL that finds it for an `x` of `event_id` and `contact`, as one row of `batch_id` and `record_id`.

    `batch` is the condition on a batch `u` of the event, `record` that on the contact's record `r` in it. The rows are
    compared as a whole (the contact's, the event's condition follows) because no other index has that order: where few
    people make many records the planner would rather walk another one, and everything in it.
    """
    return f"""(
    WITH RECURSIVE leap(batch_id, record_id, found, below) AS (
      SELECT CAST(NULL AS bigint), CAST(NULL AS bigint), false, CAST(9223372036854775807 AS bigint)
      UNION ALL
      SELECT u.id, r.id, u.id = r.batch_id AND {record}, CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id + 1 END
      FROM leap CROSS JOIN LATERAL (
        SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) < (x.contact, leap.below)
        ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) r
      CROSS JOIN LATERAL (
        SELECT u.* FROM batches u WHERE (u.event_id, u.id) <= (x.event_id, r.batch_id) AND {batch}
        ORDER BY u.event_id DESC, u.id DESC LIMIT 1) u
      WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id)
    SELECT batch_id, record_id FROM leap WHERE found)"""


def oldest(record: str) -> str:
    """Give the SQL that leaps up in the same way, for an `x` that says up to which batch: `upto`."""
    return f"""(
    WITH RECURSIVE leap(batch_id, record_id, found, above) AS (
      SELECT CAST(NULL AS bigint), CAST(NULL AS bigint), false, CAST(0 AS bigint)
      UNION ALL
      SELECT u.id, r.id, u.id = r.batch_id AND {record}, CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id - 1 END
      FROM leap CROSS JOIN LATERAL (
        SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) > (x.contact, leap.above)
        ORDER BY r.contact, r.batch_id LIMIT 1) r
      CROSS JOIN LATERAL (
        SELECT u.* FROM batches u WHERE (u.event_id, u.id) >= (x.event_id, r.batch_id)
        ORDER BY u.event_id, u.id LIMIT 1) u
      WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id AND r.batch_id <= x.upto)
    SELECT batch_id, record_id FROM leap WHERE found)"""
