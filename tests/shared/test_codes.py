import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared import codes

PLAIN = st.integers().map(lambda _: codes.normalise(codes.new_code()))
PLACES = st.integers(0, codes.LENGTH - 1)


def test_a_code_is_printed_in_three_groups_of_four() -> None:
    code = codes.new_code()

    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert set(code) <= set(codes.ALPHABET) | {"-"}


@given(PLAIN)
def test_a_code_is_read_however_it_is_typed(plain: str) -> None:
    spaced = " ".join(codes.pretty(plain).lower())

    assert codes.normalise(spaced) == plain


@pytest.mark.parametrize(("typed", "meant"), [("O", "0"), ("o", "0"), ("I", "1"), ("l", "1"), ("U", "V")])
def test_letters_that_look_alike_are_read_as_the_one_that_can_be_meant(typed: str, meant: str) -> None:
    body = meant + "7K4M9QXT2H"
    plain = next(code for last in codes.ALPHABET if (code := body + last) and is_accepted(code))

    assert codes.normalise(typed + plain[1:]) == plain


@given(PLAIN, PLACES, st.sampled_from(codes.ALPHABET))
def test_one_wrong_character_is_noticed_before_anything_is_sent(plain: str, place: int, other: str) -> None:
    assume(plain[place] != other)

    with pytest.raises(codes.MistypedCodeError):
        codes.normalise(plain[:place] + other + plain[place + 1 :])


@given(PLAIN, st.integers(0, codes.LENGTH - 3))
def test_two_swapped_neighbours_are_noticed_unless_they_differ_by_16(plain: str, place: int) -> None:
    one, two = plain[place], plain[place + 1]
    assume((codes.ALPHABET.index(one) - codes.ALPHABET.index(two)) % 16 != 0)

    with pytest.raises(codes.MistypedCodeError, match="wrong"):
        codes.normalise(plain[:place] + two + one + plain[place + 2 :])


@pytest.mark.parametrize("typed", ["", "7K4M", "7K4M-9QXT-2HD", "7K4M-9QXT-2HD33", "七K4M-9QXT-2HD3", "7K4M-9QXT-2HD*"])
def test_what_is_no_code_is_refused_with_how_many_characters_it_has(typed: str) -> None:
    with pytest.raises(codes.MistypedCodeError, match="a code has 12 letters and digits; this one has"):
        codes.normalise(typed)


def test_a_code_splits_into_what_finds_the_row_and_what_proves_the_right() -> None:
    lookup, secret = codes.split(codes.normalise(codes.new_code()))

    assert (len(lookup), len(secret)) == (4, 8)


def is_accepted(code: str) -> bool:
    try:
        codes.normalise(code)
    except codes.MistypedCodeError:
        return False
    return True
