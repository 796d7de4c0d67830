"""${message}.

Revision: ${up_revision}, after ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
    # Where releases before this one would fail on it: op.execute("DELETE FROM schema_revisions")
    op.execute("INSERT INTO schema_revisions VALUES (${repr(up_revision)})")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = ${repr(up_revision)}")
    ${downgrades if downgrades else "pass"}
