"""The wire's models once more, as msgspec reads them: made from the models themselves, at a fraction of their cost.

A struct takes less than its model: no field that the model would keep unread, no number in quotes. What it takes, its
model takes too and finds the same in it (`tests/collector/intake/test_structs.py`). What it does not take is left to
the model, which alone refuses and says why.
"""

from collections.abc import Callable, Iterator, Mapping
from types import GenericAlias
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args

import msgspec
from pydantic import BaseModel

from shared.wire.v1 import Heartbeat

NOT_TAKEN = (ValueError, RecursionError)
"""What a reader raises for bytes that are left to the model."""

Model = TypeVar("Model", bound=BaseModel)

_PLAIN: Mapping[str, Any] = {"integer": int, "number": float, "string": str, "boolean": bool, "null": None}
_BOUNDS = {"minimum": "ge", "maximum": "le", "minLength": "min_length", "maxLength": "max_length"}


def reader_of(model: type[Model]) -> Callable[[bytes], Model]:
    """Reads JSON into a struct that has the attributes of this model. Raises one of NOT_TAKEN."""
    return cast("Callable[[bytes], Model]", msgspec.json.Decoder(_Maker(model).make(model.__name__)).decode)


def dump_heartbeat(heartbeat: Heartbeat) -> str:
    """The JSON text of a heartbeat, struct or model, without what it left unsaid or said as if it had."""
    if isinstance(heartbeat, msgspec.Struct):
        return msgspec.json.encode(heartbeat).decode()
    return heartbeat.model_dump_json(exclude_unset=True)


class _Maker:
    """Makes the structs of a model and of those within it. Types and bounds come from their JSON schemas."""

    def __init__(self, model: type[BaseModel]) -> None:
        schema = model.model_json_schema()
        self._schemas = {**schema.get("$defs", {}), model.__name__: schema}
        self._models = {each.__name__: each for each in _within(model)}
        self._made: dict[str, Any] = {}

    def make(self, name: str) -> Any:
        if name not in self._made:
            properties, fields = self._schemas[name]["properties"], self._models[name].model_fields
            members = []
            for field, info in fields.items():
                wire_name = info.alias or field
                kind, default = self._type_of(properties[wire_name]), self._default_of(info)
                members.append((field, kind, msgspec.field(name=wire_name, **default)))
            options: dict[str, Any] = {"frozen": True, "kw_only": True, "omit_defaults": True}
            self._made[name] = msgspec.defstruct(name, members, forbid_unknown_fields=True, **options)
        return self._made[name]

    def _type_of(self, schema: Mapping[str, Any]) -> Any:
        match schema:
            case {"$ref": name}:
                kind = self.make(name.rpartition("/")[2])
            case {"anyOf": choices}:
                kind = Union[tuple(self._type_of(each) for each in choices)]  # noqa: UP007 - of as many as there are
            case {"enum": words}:
                kind = Literal[tuple(words)]
            case {"const": word}:
                kind = Literal[word]
            case {"type": "array", "items": inner}:
                kind = GenericAlias(list, self._type_of(inner))
            case {"type": "object"}:
                inner = schema.get("additionalProperties", True)
                kind = GenericAlias(dict, (str, Any if inner is True else self._type_of(inner)))
            case {"type": plain}:
                kind = self._bounded(_PLAIN[plain], schema)
            case _:
                kind = Any
        return kind

    def _bounded(self, plain: Any, schema: Mapping[str, Any]) -> Any:
        bounds: dict[str, Any] = {ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema}
        if "pattern" in schema:
            # A `$` of Python's also stands before a line feed at the end, one of the models' does not.
            bounds["pattern"] = schema["pattern"].replace("$", r"\Z")
        return Annotated[plain, msgspec.Meta(**bounds)] if bounds else plain

    def _default_of(self, info: Any) -> dict[str, Any]:
        if info.is_required():
            return {}
        default = info.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            return {"default": self.make(type(default).__name__)()}
        return {"default_factory": type(default)} if isinstance(default, list | dict) else {"default": default}


def _within(kind: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, those in their fields included."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for info in kind.model_fields.values():
            yield from _within(info.annotation)
    for each in get_args(kind):
        yield from _within(each)
