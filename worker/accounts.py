"""Accounts: what stops and starts their sending."""

from sqlalchemy import Engine, text


def resume(engine: Engine, account: str) -> bool:
    """Let an account send again, beginning with one batch as a probe where it was in an outage; false where unknown."""
    with engine.begin() as connection:
        changed = connection.execute(
            text("""
            UPDATE accounts SET paused_at = NULL, paused_because = '', parked_until = NULL, parked_because = ''
            WHERE name = :name"""),
            {"name": account},
        )
        return bool(changed.rowcount)
