"""Prints the part of `requirements.lock` that a station needs: the closure of the extra `agent`, with its hashes.

    python deploy/deb/subset.py requirements.lock > agent.lock

The closure is read from what is installed here from that very lock, so it asks no registry.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HEAD = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")


def list_closure(name: str, extra: str) -> set[str]:
    """Canonical names of all that a distribution with this extra needs on this system, without itself."""
    found: set[str] = set()
    waiting = [(name, frozenset({extra}))]
    while waiting:
        current, extras = waiting.pop()
        for text in requires(current) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            chosen = marker is None or any(marker.evaluate({"extra": each}) for each in extras | {""})
            needed = canonicalize_name(requirement.name)
            if chosen and needed not in found:
                found.add(needed)
                waiting.append((needed, frozenset(requirement.extras)))
    return found - {canonicalize_name(name)}


def split_lock(text: str) -> Iterator[tuple[str, str]]:
    """Each package of a lock file: its canonical name and its lines."""
    block: list[str] = []
    for line in [*text.splitlines(), "end=="]:
        if _HEAD.match(line) and block:
            head = _HEAD.match(block[0])
            if head:
                yield canonicalize_name(head[1]), "\n".join(block)
            block = []
        block.append(line)


def main() -> None:
    wanted = list_closure("yuanjiao", "agent")
    blocks = dict(split_lock(Path(sys.argv[1]).read_text("utf-8")))
    missing = wanted - set(blocks)
    if missing:
        sys.exit(f"not in the lock: {', '.join(sorted(missing))}; run: make lock")
    sys.stdout.write("\n".join(blocks[name] for name in sorted(wanted)) + "\n")


if __name__ == "__main__":
    main()
