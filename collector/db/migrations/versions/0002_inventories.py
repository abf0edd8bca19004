"""Inventories told as a whole, which end what they do not name; playings of files that nobody held open."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.create_table(
        "inventories",
        sa.Column("district_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("station_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["district_id", "station_id"],
            ["stations.district_id", "stations.station_id"],
            name=op.f("fk_inventories_district_id_station_id"),
        ),
        sa.PrimaryKeyConstraint("district_id", "station_id", "at_ms", name=op.f("pk_inventories")),
    )
    op.add_column("daily", sa.Column("uncorroborated_s", sa.BigInteger(), server_default="0", nullable=False))
