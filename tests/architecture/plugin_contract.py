"""A contract for import-linter: plugins of one folder do not import each other, not even by way of a third module.

It finds the plugins as `shared.discover` does, so that a new one needs no line in `.importlinter`.
"""

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PluginContract(Contract):
    type_name = "plugins"

    packages = fields.ListField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        del verbose
        chains = [
            chain
            for package in cast("list[object]", self.packages)
            for chain in _chains_between(graph, list_plugins(graph, str(package)))
        ]
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))
        output.print_error("Move what both need into a module whose name begins with an underscore.")


def list_plugins(graph: ImportGraph, package: str) -> list[str]:
    """Modules of a package that are plugins: not `base`, not beginning with an underscore."""
    names = sorted(graph.find_children(package))
    return [name for name in names if not name.rpartition(".")[2].startswith("_") and not name.endswith(".base")]


def _chains_between(graph: ImportGraph, plugins: list[str]) -> list[tuple[str, ...]]:
    found = (graph.find_shortest_chain(one, other) for one in plugins for other in plugins if one != other)
    return [chain for chain in found if chain is not None]
