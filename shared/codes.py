"""Enrolment codes: 12 Crockford characters (no I, L, O, U), typed by a farmer from a sheet of paper.

The first four find the row, the next seven are the secret (35 bits, five tries), the last checks for typing errors
before anything is sent.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 12
_LOOKUP = 4
_ALIKE = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})


class MistypedCodeError(ValueError):
    """The code was typed wrongly; read it again from the sheet, 12 characters in three groups of four."""


def new_code() -> str:
    """A fresh code as printed: `7K4M-9QXT-2HDW`."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1))
    return pretty(body + _check(body))


def normalise(text: str) -> str:
    """The 12 plain characters of a typed code.

    Raises MistypedCodeError for a wrong length, a foreign character or a check character that does not fit.
    """
    plain = "".join(text.upper().split()).replace("-", "").translate(_ALIKE)
    if len(plain) != LENGTH or any(character not in ALPHABET for character in plain):
        message = f"a code has {LENGTH} letters and digits; this one has {len(plain)}"
        raise MistypedCodeError(message)
    if plain[-1] != _check(plain[:-1]):
        raise MistypedCodeError("one character of the code is wrong")
    return plain


def pretty(plain: str) -> str:
    return "-".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def spell(value: bytes) -> str:
    """Bytes as a person copies them from paper, five bits a character: `7K4M-9QXT-2HDW-3FJ0`."""
    number, length = int.from_bytes(value, "big"), len(value) * 8 // 5
    return pretty("".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length))))


def read_spelling(text: str) -> str:
    """What a person typed, as `spell` would have written it."""
    return pretty("".join(text.upper().split()).replace("-", "").translate(_ALIKE))


def split(plain: str) -> tuple[str, str]:
    """The look-up part and the secret part."""
    return plain[:_LOOKUP], plain[_LOOKUP:]


def _check(body: str) -> str:
    # Weights odd and different from their neighbours' find every single wrong character and every swapped pair but
    # those whose values differ by 16.
    total = sum((2 * place + 1) * ALPHABET.index(character) for place, character in enumerate(body))
    return ALPHABET[total % 32]
