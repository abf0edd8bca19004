"""A share whose server has died: whoever touches it waits in the kernel. A FUSE file system that answers nothing.

`python -m tests.devices.hanging_share FOLDER` mounts it until its standard input ends; it speaks the kernel's protocol
itself, since no more than the greeting of it is needed.
"""

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2
_QUESTION = struct.Struct("<IIQ")
_GREETING = struct.Struct("<IiQ" + "IIIIHHI")


def why_not() -> str:
    """Why there is no such share here; empty where there is one."""
    if os.geteuid() != 0:
        return "mounting takes root"
    return "" if os.access("/dev/fuse", os.R_OK | os.W_OK) else "this kernel has no /dev/fuse"


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Lies over the folder while the body runs; afterwards whoever waits gets an error, and the folder is as before."""
    command = [sys.executable, "-m", "tests.devices.hanging_share", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"hanging\n"
            yield
        finally:
            server.kill()
            server.wait(10)
            _LIBC.umount2(os.fsencode(folder), _DETACH)


def serve(folder: Path) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if _LIBC.mount(b"hanging", os.fsencode(folder), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount")
    try:
        _length, _opcode, number = _QUESTION.unpack_from(os.read(device, 1 << 17))
        os.write(device, _GREETING.pack(_GREETING.size, 0, number, 7, 19, 0, 0, 0, 0, 4096))
        os.write(sys.stdout.fileno(), b"hanging\n")
        sys.stdin.buffer.read()
    finally:
        _LIBC.umount2(os.fsencode(folder), _DETACH)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
