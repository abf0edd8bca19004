"""How long a station has been away since it was last used: no idleness of its people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column("pasts", sa.Column("unused_absent_ms", sa.BigInteger(), server_default="0", nullable=False))
