"""The demo district of the browser tests: Lizhou as it was, with one bad morning."""

from pathlib import Path

PLAN = {
    township: villages
    for township, *villages in (
        line.split() for line in (Path(__file__).parent / "lizhou.txt").read_text("utf-8").splitlines()
    )
}
