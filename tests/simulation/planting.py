"""Plants a bug in the real code: one piece of one function's source is replaced, wherever the function is used.

A mutant whose target has moved or reads otherwise raises MovedError: it never passes for caught or for harmless.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any


class MovedError(Exception):
    """The code a mutant is aimed at is no longer there as it was."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in the source of `target` (`module:function`, `module:Class.method` or `module:CONSTANT`).

    `first` is the seed a hunt begins with: later than 1 for a bug that only a rare course of things shows.
    """

    name: str
    target: str
    old: str
    new: str
    first: int = 1


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Let the product run with this bug. Raises MovedError."""
    module, owner, name = _find(mutant)
    found = inspect.getattr_static(owner, name)
    if not isinstance(inspect.unwrap(found), FunctionType) if callable(found) else True:
        with _constant(module, name, mutant):
            yield
        return
    function = inspect.unwrap(found)
    kept = function.__code__
    function.__code__ = _rewrite(function, mutant)
    try:
        yield
    finally:
        function.__code__ = kept


def _find(mutant: Mutant) -> tuple[ModuleType, Any, str]:
    place, path = mutant.target.split(":")
    *outer, name = path.split(".")
    try:
        module = owner = import_module(place)
        for each in outer:
            owner = getattr(owner, each)
        getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise MovedError(f"{mutant.target} is gone") from error
    return module, owner, name


@contextmanager
def _constant(module: ModuleType, name: str, mutant: Mutant) -> Iterator[None]:
    kept = getattr(module, name)
    if repr(kept) != mutant.old:
        raise MovedError(f"{mutant.target} is {kept!r}, not {mutant.old}")
    setattr(module, name, ast.literal_eval(mutant.new))
    try:
        yield
    finally:
        setattr(module, name, kept)


def _rewrite(function: Callable[..., Any], mutant: Mutant) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mutant.old) != 1:
        raise MovedError(f"{mutant.target} has {source.count(mutant.old)} times: {mutant.old}")
    (definition,) = ast.parse(source.replace(mutant.old, mutant.new)).body
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        raise MovedError(f"{mutant.target} is no function")
    definition.decorator_list = []
    names = dict(function.__globals__)
    code = compile(ast.Module([definition], []), inspect.getsourcefile(function) or mutant.target, "exec")
    exec(code, names)  # noqa: S102 - our own source, with our own bug in it
    planted_code: CodeType = names[definition.name].__code__
    if planted_code.co_freevars != function.__code__.co_freevars:
        raise MovedError(f"{mutant.target} is bound to its surroundings")
    return planted_code
