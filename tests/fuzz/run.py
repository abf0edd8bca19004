"""One run of the fuzzer in a process of its own, for it never returns: `python -m tests.fuzz.run [PLANT] -runs=N …`."""

import sys

import atheris

with atheris.instrument_imports(include=["collector.intake", "shared"]):
    from tests.fuzz.decoding import decode
    from tests.fuzz.plants import PLANTS


def main(arguments: list[str]) -> None:
    """Fuzz until a crash or the end of `-runs`; a first argument without a dash names a bug to plant."""
    if arguments and not arguments[0].startswith("-"):
        PLANTS[arguments.pop(0)]()
    atheris.Setup([sys.argv[0], *arguments], decode)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
