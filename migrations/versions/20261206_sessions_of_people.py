"""A session of the console may be a person's, whom the OpenID Connect provider named, without a key.

Revision: 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("sessions", "key_id", nullable=True)
    op.alter_column("sessions", "key_hash", nullable=True)
    op.add_column("sessions", sa.Column("who", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("role", sa.String(12), nullable=True))
    op.add_column("sessions", sa.Column("issuer", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_sessions_role"), "sessions", "role IN ('producer', 'operator', 'viewer')")
    op.execute("INSERT INTO schema_revisions VALUES ('0014')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0014'")
    op.execute("DELETE FROM sessions WHERE key_id IS NULL")
    for name in ("who", "role", "issuer"):
        op.drop_column("sessions", name)
    op.alter_column("sessions", "key_hash", nullable=False)
    op.alter_column("sessions", "key_id", nullable=False)
