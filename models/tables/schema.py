"""Which releases may run on these tables."""

from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import Base


class SchemaRevision(Base):
    """A migration whose release may run on these tables: the newest one's, and older ones' that it leaves working.

    Each migration adds its own revision. One after which older releases fail (a column renamed, a rule made stricter)
    deletes the others first.
    """

    __tablename__ = "schema_revisions"

    revision: Mapped[str] = mapped_column(primary_key=True)
