"""The audit log has what operators read of HubSpot by the API.

Revision: 0016.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The constraint is replaced by a wider one, so no reader loses a guarantee.
    op.execute("-- squawk-ignore ban-drop-constraint\nALTER TABLE actions DROP CONSTRAINT IF EXISTS ck_actions_via")
    op.execute(
        "ALTER TABLE actions ADD CONSTRAINT ck_actions_via"
        " CHECK (via IN ('terminal', 'console', 'schedule', 'api')) NOT VALID"
    )
    # The rows are read in a transaction of its own, whose lock lets writers go on.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE actions VALIDATE CONSTRAINT ck_actions_via")
    op.execute("INSERT INTO schema_revisions VALUES ('0016')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0016'")
    op.execute("UPDATE actions SET via = 'console' WHERE via = 'api'")
    op.drop_constraint(op.f("ck_actions_via"), "actions", type_="check")
    op.create_check_constraint(op.f("ck_actions_via"), "actions", "via IN ('terminal', 'console', 'schedule')")
