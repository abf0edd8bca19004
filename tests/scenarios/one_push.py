"""A process of the station under a faked clock: records what its arguments say, pushes once, tells what came of it.

`python one_push.py STATE_DIR TEXT [FAKETIME_FILE NEW_DATE]`: with the latter the clock jumps before the push.
"""

import json
import sys
from pathlib import Path

from agent.identity import Keeping, load_identity, pinned_ca
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import HttpTransport
from agent.uplink import Uplink
from shared.clock import SystemClock


def main(folder: Path, text: str, jump: list[str]) -> None:
    clock = SystemClock()
    identity = load_identity(folder)
    spool = Spool(folder / "spool", clock.now())
    recorded = clock.now()
    spool.append([Fact("note", {"text": text})], recorded, memo={})
    for place, date in [jump] if jump else []:
        Path(place).write_text(date, "ascii")
    transport = HttpTransport(identity.centre, pinned_ca(folder, None))
    uplink = Uplink(identity, transport, spool, dict, heartbeat_s=300, flush_s=30, keeping=Keeping(folder))
    pushed = uplink.push(clock.now())
    print(json.dumps({"pushed": pushed, "wall_ms": recorded.wall_ms, "error": uplink.last_error}))  # noqa: T201 - its report
    transport.close()
    spool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
