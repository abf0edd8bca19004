"""What is raised when a promise of the product is broken."""


class BrokenInvariantError(Exception):
    """An invariant does not hold; the message begins with its name."""


def require(holds: bool, invariant: str, detail: str) -> None:
    if not holds:
        raise BrokenInvariantError(f"{invariant}: {detail}")
