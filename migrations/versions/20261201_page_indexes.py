"""A person's records are found in the index of the contacts alone, without reading each.

Revision: 0009.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_records_contact_batch_id", table_name="records")
    op.create_index(
        "ix_records_contact_batch_id", "records", ["contact", "batch_id"], unique=False, postgresql_include=["id"]
    )


def downgrade() -> None:
    op.drop_index("ix_records_contact_batch_id", table_name="records")
    op.create_index("ix_records_contact_batch_id", "records", ["contact", "batch_id"], unique=False)
