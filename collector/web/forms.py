"""What addresses and forms of people may say, before any domain looks at it."""

from typing import Annotated

from pydantic import Field

Number = Annotated[int, Field(ge=0, lt=2**63)]
"""The number of a ticket, a station, a person: what a database can hold. Anything larger is refused at the door."""
