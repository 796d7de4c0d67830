"""Large tables are vacuumed after a fiftieth of them has died, not after a fifth.

A purge of a hundred million records would else leave twenty million dead rows in every index before anybody clears
them away. The option is changed without holding up reads or writes; older releases do not see it.

Revision: 0017.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("records", "errors", "attempts", "submissions")
OPTIONS = ("autovacuum_vacuum_scale_factor", "autovacuum_analyze_scale_factor")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} SET ({', '.join(f'{option} = 0.02' for option in OPTIONS)})")
    op.execute("INSERT INTO schema_revisions VALUES ('0017')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0017'")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(OPTIONS)})")
