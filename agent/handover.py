"""Gives the state to the account that runs the agent, after root has written into it (`sudo yuanjiao-agent enroll`).

At its first start systemd hands the whole folder to the agent's own account; what root adds later stays root's.
"""

import os
from pathlib import Path


def hand_over(state_dir: Path) -> None:
    """Every file of the folder gets the folder's owner, where this process may decide so. Links stay as they are."""
    if os.geteuid() != 0:
        return
    owner = state_dir.stat()
    for path in state_dir.iterdir():
        held = path.lstat()
        if (held.st_uid, held.st_gid) != (owner.st_uid, owner.st_gid):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
