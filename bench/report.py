"""One JSON line a figure: `{"bench": "intake.sqlite", "value": …, "unit": …, "ratio": …}`."""

import json
from typing import Any


def emit(bench: str, value: float, unit: str, *, ratio: float | None = None, **notes: Any) -> None:
    line: dict[str, Any] = {"bench": bench, "value": round(value, 3), "unit": unit}
    if ratio is not None:
        line["ratio"] = round(ratio, 3)
    print(json.dumps(line | notes, ensure_ascii=False), flush=True)
