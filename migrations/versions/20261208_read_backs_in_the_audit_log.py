"""The audit log has what operators read of HubSpot by the API.

Revision: 0016.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _via("'terminal', 'console', 'schedule', 'api'")
    op.execute("INSERT INTO schema_revisions VALUES ('0016')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0016'")
    op.execute("UPDATE actions SET via = 'console' WHERE via = 'api'")
    _via("'terminal', 'console', 'schedule'")


def _via(words: str) -> None:
    op.drop_constraint(op.f("ck_actions_via"), "actions", type_="check")
    op.create_check_constraint(op.f("ck_actions_via"), "actions", f"via IN ({words})")
