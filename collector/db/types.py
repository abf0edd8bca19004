"""Column vocabulary. Times are epoch milliseconds bound from Python; random ids are kept as bytes, read as hex."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKeyConstraint, LargeBinary, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Hex(TypeDecorator[str]):
    """Hexadecimal text in Python, half as many bytes in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.hex()


def district() -> Column[int]:
    """`district_id`: first column of every key, so that one district is one shard."""
    return Column("district_id", BigInteger, primary_key=True, autoincrement=False)


def number(name: str, *, primary: bool = True, nullable: bool = False) -> Column[int]:
    """A whole number counted inside one district."""
    return Column(name, BigInteger, primary_key=primary, autoincrement=False, nullable=nullable)


def at(name: str, *, nullable: bool = False) -> Column[int]:
    """A moment, epoch milliseconds."""
    return Column(name, BigInteger, nullable=nullable)


def to_station() -> ForeignKeyConstraint:
    """Foreign key to a station of the same district."""
    return ForeignKeyConstraint(["district_id", "station_id"], ["stations.district_id", "stations.station_id"])
