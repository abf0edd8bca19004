"""Takes JSON from strangers: small, shallow, and such that every other JSON reader takes it too."""

import json
import math
from typing import Any, NoReturn

_MAX_DEPTH = 5
_MAX_VALUES = 200
_MAX_INTEGER = 2**53


class NotTakenError(Exception):
    """What a stranger left is not taken; the message says why."""


def parse(content: bytes) -> Any:
    """The value. Raises NotTakenError for what is no JSON, too deep, too much, or a number others cannot hold."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse, parse_int=_read_integer)
    except UnicodeDecodeError as error:
        raise NotTakenError("not UTF-8") from error
    except RecursionError as error:
        raise NotTakenError(f"deeper than {_MAX_DEPTH} levels") from error
    except ValueError as error:
        raise NotTakenError("not JSON") from error
    _measure(value)
    return value


def _refuse(name: str) -> NoReturn:
    raise NotTakenError(f"{name} is no number")


def _read_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > _MAX_INTEGER:
        raise NotTakenError("a number beyond 2^53")
    return int(digits)


def _measure(value: Any) -> None:
    """Level by level, so that depth costs no stack."""
    level, seen = [value], 0
    for _ in range(_MAX_DEPTH):
        seen += len(level)
        if seen > _MAX_VALUES:
            raise NotTakenError(f"more than {_MAX_VALUES} values")
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise NotTakenError("a number too great to be one")
        level = [child for each in level for child in _children(each)]
    if level:
        raise NotTakenError(f"deeper than {_MAX_DEPTH} levels")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
