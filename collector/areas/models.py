"""Tables of the area tree and of the districts themselves."""

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Table, Uuid

from collector.db.types import Json, at, district, metadata, number

districts = Table(
    "districts",
    metadata,
    district(),
    Column("name", String(100), nullable=False),
    at("created_ms"),
    Column("settings", Json, nullable=False),
)

areas = Table(
    "areas",
    metadata,
    district(),
    Column("area_id", Uuid, primary_key=True),
    Column("parent_id", Uuid, nullable=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(100), nullable=False),
    Column("short", String(100), nullable=False),
    Column("pinyin", String(200), nullable=False),
    Column("initials", String(40), nullable=False),
    Column("sort", Integer, nullable=False),
    ForeignKeyConstraint(["district_id"], ["districts.district_id"]),
)

area_codes = Table(
    "area_codes",
    metadata,
    district(),
    Column("area_id", Uuid, primary_key=True),
    number("valid_from"),
    number("valid_to", primary=False, nullable=True),
    Column("code", String(12), nullable=False),
    ForeignKeyConstraint(["district_id", "area_id"], ["areas.district_id", "areas.area_id"]),
)
