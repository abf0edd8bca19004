"""Since when a computer that was taken out of service had been lost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.add_column("station_keys", sa.Column("lost_ms", sa.BigInteger(), nullable=True))
