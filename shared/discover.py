"""Finds plugins: one module, one plugin, under one agreed name."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


class BadPluginError(Exception):
    """A plugin file does not export what its folder asks for; the message names the file and the name to export."""


def discover(package: ModuleType, attribute: str, kind: type[T]) -> Mapping[str, T]:
    """Plugins of a package by module name, sorted.

    Modules named `base` or beginning with an underscore are not plugins.
    Raises BadPluginError when a module lacks `attribute` or holds another type there.
    """
    found: dict[str, T] = {}
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        if module.name == "base" or module.name.startswith("_"):
            continue
        name = f"{package.__name__}.{module.name}"
        plugin = getattr(import_module(name), attribute, None)
        if not isinstance(plugin, kind):
            message = f"{name} must export {attribute}, a {kind.__name__}; it holds {type(plugin).__name__}"
            raise BadPluginError(message)
        found[module.name] = plugin
    return found
