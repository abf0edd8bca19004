"""`python -m tests.simulation --seeds 500`: runs seeds, prints what broke and how to run it again."""

import argparse
import time

from tests.simulation.run import run_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--tell", action="store_true", help="tell every fault of a seed that breaks")
    asked = parser.parse_args()
    passed = failed = station_days = 0
    began = time.process_time()
    for seed in range(asked.first, asked.first + asked.seeds):
        verdict = run_seed(seed)
        station_days += verdict.station_days
        if verdict.broken:
            failed += 1
            print(f"seed {seed}, {verdict.broken}")
            print("".join(f"  {each}\n" for each in verdict.story if asked.tell), end="")
            print(f"  again: .venv/bin/python -m tests.simulation --first {seed} --seeds 1")
        else:
            passed += 1
    seconds = time.process_time() - began
    print(f"{station_days} station-days, {station_days / seconds:.0f} a second of one core")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
