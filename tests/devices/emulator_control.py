"""Runs the projector emulator of pjlink-advance (Python 3.13 or newer) and changes it by JSON lines on its input.

A script of its own, started by `tests.devices.projector_emulator`: that package cannot be imported by older Pythons.
Arguments: the password, may be empty. Each line it prints answers one line it read; the first one tells the port.
"""

import asyncio
import json
import sys
from typing import Any

from pjlink_advance.emulator import PJLinkEmulator  # type: ignore[import-not-found]  # lives in another Python
from pjlink_advance.models import (  # type: ignore[import-not-found]
    ErrorLevel,
    ErrorStatus,
    Lamp,
    PowerState,
)


async def main(password: str) -> None:
    emulator = PJLinkEmulator(password=password or None, transition_delay=0.3)
    async with emulator:
        _answer({"port": emulator.port})
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            for name, value in json.loads(line).items():
                await _change(emulator, name, value)
            _answer({"connections": emulator.connections, "received": emulator.received})


async def _change(emulator: Any, name: str, value: Any) -> None:
    match name:
        case "power":
            emulator.state.power = PowerState[value]
        case "errors":
            emulator.state.errors = ErrorStatus(**{part: ErrorLevel[level] for part, level in value.items()})
        case "lamps":
            emulator.state.lamps = [Lamp(hours, lit) for hours, lit in value]
        case "name":
            emulator.state.name = value
        case "serial":
            emulator.state.serial = value
        case "notify":
            await emulator.notify(value["command"], value["value"], ("127.0.0.1", value["port"]))
        case "unavailable" | "unsupported":
            setattr(emulator, name, set(value))
        case "silent" | "drop_after_greeting" | "fail_next":
            setattr(emulator, name, value)
        case _:
            raise KeyError(name)


def _answer(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
