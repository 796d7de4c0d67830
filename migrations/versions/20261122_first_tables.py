"""First tables.

Revision: 0001.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQUENCES = ("batch_ids", "record_ids", "submission_ids")


def upgrade() -> None:
    for sequence in SEQUENCES:
        op.execute(f"CREATE SEQUENCE {sequence}")
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("token_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("oauth", sa.LargeBinary(), nullable=True),
        sa.Column("access_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refreshing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hubspot_url", sa.Text(), nullable=True),
        sa.Column("hubspot_version", sa.Text(), nullable=True),
        sa.Column("burst_limit", sa.Integer(), nullable=True),
        sa.Column("burst_seconds", sa.Double(), nullable=True),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=True),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_because", sa.Text(), server_default="", nullable=False),
        sa.Column("parked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_because", sa.Text(), server_default="", nullable=False),
        sa.Column("in_a_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unknown_events", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("stopped_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped", sa.Interval(), server_default=sa.text("interval '0'"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "post", "part", "read-back", name="attemptkind", native_enum=False, create_constraint=True, length=12
            ),
            server_default="post",
            nullable=False,
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("delivered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unconfirmed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("correlation_id", sa.Text(), server_default="", nullable=False),
        sa.Column("excerpt", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(op.f("ix_attempts_batch_id_id"), "attempts", ["batch_id", "id"], unique=False)
    op.create_table(
        "errors",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "pending",
                "processing",
                "delivered",
                "rejected",
                "unconfirmed",
                "failed",
                "canceled",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=12,
            ),
            nullable=False,
        ),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("context", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("verify_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("reads", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "resolution",
            sa.Enum(
                "retried",
                "confirmed",
                "corrected",
                "superseded",
                "dismissed",
                name="resolution",
                native_enum=False,
                create_constraint=True,
                length=12,
            ),
            nullable=True,
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errors")),
    )
    op.create_index(op.f("ix_errors_batch_id"), "errors", ["batch_id"], unique=False)
    op.create_index(op.f("ix_errors_record_id_id"), "errors", ["record_id", "id"], unique=False)
    op.create_index(
        "ix_errors_unresolved",
        "errors",
        ["outcome", "id"],
        unique=False,
        postgresql_where=sa.text("resolution IS NULL"),
    )
    op.create_index(
        "ix_errors_verify",
        "errors",
        ["account_id", "verify_at"],
        unique=False,
        postgresql_where=sa.text("verify_at IS NOT NULL"),
    )
    op.create_table(
        "records",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_records_fingerprint")),
    )
    op.create_index(op.f("ix_records_batch_id"), "records", ["batch_id"], unique=False)
    op.create_index(op.f("ix_records_contact_batch_id"), "records", ["contact", "batch_id"], unique=False)
    op.create_index(op.f("ix_records_submission_id"), "records", ["submission_id"], unique=False)
    op.create_table(
        "refused",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused")),
    )
    op.create_index(op.f("ix_refused_submission_id"), "refused", ["submission_id"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("crontab", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column(
            "door",
            sa.Enum(
                "stream", "task", "http", "file", name="door", native_enum=False, create_constraint=True, length=12
            ),
            nullable=False,
        ),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("repeats", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
    )
    op.create_index(op.f("ix_submissions_submission_part"), "submissions", ["submission", "part"], unique=True)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("external_event_id", sa.Text(), nullable=True),
        sa.Column("external_account_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(object_id IS NULL) = (external_event_id IS NOT NULL) AND (external_event_id IS NULL) = (external_account_id IS NULL)",
            name=op.f("ck_events_address"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_events_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(
        "uq_events_external",
        "events",
        ["account_id", "external_account_id", "external_event_id"],
        unique=True,
        postgresql_where=sa.text("object_id IS NULL"),
    )
    op.create_index(
        "uq_events_object",
        "events",
        ["account_id", "object_id"],
        unique=True,
        postgresql_where=sa.text("object_id IS NOT NULL"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("register", "attend", "cancel", name="state", native_enum=False, create_constraint=True, length=12),
            nullable=False,
        ),
        sa.Column(
            "identity",
            sa.Enum("email", "vid", name="identity", native_enum=False, create_constraint=True, length=12),
            nullable=False,
        ),
        sa.Column(
            "origin",
            sa.Enum("live", "retry", "replay", name="origin", native_enum=False, create_constraint=True, length=12),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "PROCESSING",
                "COMPLETE",
                "CANCELED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=12,
            ),
            nullable=False,
        ),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("after", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("postponed_because", sa.Text(), server_default="", nullable=False),
        sa.Column("claims", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_before", sa.Interval(), server_default=sa.text("interval '0'"), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("split_from", sa.BigInteger(), nullable=True),
        sa.Column("contact_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'PROCESSING') = (lease_token IS NOT NULL)", name=op.f("ck_batches_lease")),
        sa.CheckConstraint("NOT open OR (status = 'PENDING' AND origin = 'live')", name=op.f("ck_batches_open")),
        sa.CheckConstraint("after = '{}' OR status = 'PENDING'", name=op.f("ck_batches_after")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_batches_size")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_batches_account_id_accounts")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_batches_event_id_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index(
        "ix_batches_claimable",
        "batches",
        ["event_id", "origin", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING' AND after = '{}'"),
    )
    op.create_index(op.f("ix_batches_event_id_id"), "batches", ["event_id", "id"], unique=False)
    op.create_index(
        "ix_batches_holding",
        "batches",
        ["event_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'PROCESSING' OR (status = 'PENDING' AND origin <> 'retry')"),
    )
    op.create_index(
        "ix_batches_lease", "batches", ["lease_until"], unique=False, postgresql_where=sa.text("status = 'PROCESSING'")
    )
    op.create_index(
        "ix_batches_oldest_waiting", "batches", ["id"], unique=False, postgresql_where=sa.text("after <> '{}'")
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["event_id", "state", "identity", "id"],
        unique=False,
        postgresql_where=sa.text("open"),
    )
    op.create_index(op.f("ix_batches_status_id"), "batches", ["status", "id"], unique=False)
    op.create_index(
        "ix_batches_waiting",
        "batches",
        ["after"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("after <> '{}'"),
        postgresql_with={"fastupdate": False},
    )
    op.create_table(
        "lanes",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "origin",
            sa.Enum("live", "retry", "replay", name="origin", native_enum=False, create_constraint=True, length=12),
            nullable=False,
        ),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("'infinity'"), nullable=False),
        sa.Column("ready", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_lanes_event_id_events")),
        sa.PrimaryKeyConstraint("event_id", "origin", name=op.f("pk_lanes")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index(
        "ix_lanes_next", "lanes", ["account_id", "due_at"], unique=False, postgresql_where=sa.text("NOT ready")
    )
    op.create_index(
        "ix_lanes_ready",
        "lanes",
        ["account_id", "origin", "served_at"],
        unique=False,
        postgresql_where=sa.text("ready"),
    )
    op.execute("INSERT INTO accounts (name) VALUES ('default')")


def downgrade() -> None:
    op.drop_index("ix_lanes_ready", table_name="lanes", postgresql_where=sa.text("ready"))
    op.drop_index("ix_lanes_next", table_name="lanes", postgresql_where=sa.text("NOT ready"))
    op.drop_table("lanes")
    op.drop_index(
        "ix_batches_waiting",
        table_name="batches",
        postgresql_using="gin",
        postgresql_where=sa.text("after <> '{}'"),
        postgresql_with={"fastupdate": False},
    )
    op.drop_index(op.f("ix_batches_status_id"), table_name="batches")
    op.drop_index("ix_batches_open", table_name="batches", postgresql_where=sa.text("open"))
    op.drop_index("ix_batches_oldest_waiting", table_name="batches", postgresql_where=sa.text("after <> '{}'"))
    op.drop_index("ix_batches_lease", table_name="batches", postgresql_where=sa.text("status = 'PROCESSING'"))
    op.drop_index(
        "ix_batches_holding",
        table_name="batches",
        postgresql_where=sa.text("status = 'PROCESSING' OR (status = 'PENDING' AND origin <> 'retry')"),
    )
    op.drop_index(op.f("ix_batches_event_id_id"), table_name="batches")
    op.drop_index(
        "ix_batches_claimable", table_name="batches", postgresql_where=sa.text("status = 'PENDING' AND after = '{}'")
    )
    op.drop_table("batches")
    op.drop_index("uq_events_object", table_name="events", postgresql_where=sa.text("object_id IS NOT NULL"))
    op.drop_index("uq_events_external", table_name="events", postgresql_where=sa.text("object_id IS NULL"))
    op.drop_table("events")
    op.drop_index(op.f("ix_submissions_submission_part"), table_name="submissions")
    op.drop_table("submissions")
    op.drop_table("secrets")
    op.drop_table("schedules")
    op.drop_index(op.f("ix_refused_submission_id"), table_name="refused")
    op.drop_table("refused")
    op.drop_index(op.f("ix_records_submission_id"), table_name="records")
    op.drop_index(op.f("ix_records_contact_batch_id"), table_name="records")
    op.drop_index(op.f("ix_records_batch_id"), table_name="records")
    op.drop_table("records")
    op.drop_index("ix_errors_verify", table_name="errors", postgresql_where=sa.text("verify_at IS NOT NULL"))
    op.drop_index("ix_errors_unresolved", table_name="errors", postgresql_where=sa.text("resolution IS NULL"))
    op.drop_index(op.f("ix_errors_record_id_id"), table_name="errors")
    op.drop_index(op.f("ix_errors_batch_id"), table_name="errors")
    op.drop_table("errors")
    op.drop_index(op.f("ix_attempts_batch_id_id"), table_name="attempts")
    op.drop_table("attempts")
    op.drop_table("accounts")
    for sequence in SEQUENCES:
        op.execute(f"DROP SEQUENCE {sequence}")
