"""Tables of releases and of what is offered to which station."""

from sqlalchemy import Column, ForeignKeyConstraint, LargeBinary, String, Table, Text

from collector.db.types import Hex, at, district, metadata, number

EVERY_STATION = 0
"""In place of a station: the release is offered to the whole district."""

releases = Table(
    "releases",
    metadata,
    district(),
    Column("version", String(20), primary_key=True),
    Column("sha256", Hex, nullable=False),
    Column("header", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    at("added_ms"),
    ForeignKeyConstraint(["district_id"], ["districts.district_id"]),
)

release_offers = Table(
    "release_offers",
    metadata,
    district(),
    number("station_id"),
    Column("version", String(20), nullable=False),
    number("offer", primary=False),
    at("offered_ms"),
    ForeignKeyConstraint(["district_id", "version"], ["releases.district_id", "releases.version"]),
)
