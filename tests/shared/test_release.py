"""A release proves itself, or is nothing: every way to forge, cut, swap or weaken one."""

import json
from pathlib import Path

import pytest

from shared.release import (
    MAX_HEADER_BYTES,
    BadRelease,
    Header,
    ReleaseKeys,
    describe,
    read_header,
    read_keys,
    read_version,
    require_signed,
    split_release,
)
from tests.releases import CREATED, KEY, KEYS, OTHER_KEY, make_release

TWO_OF_THREE = ReleaseKeys(
    keys=[bytes(KEY.verify_key).hex(), bytes(OTHER_KEY.verify_key).hex(), "ab" * 32],
    needed=2,
)


def header_of(release: bytes) -> Header:
    return read_header(release.partition(b"\n")[0])


def test_a_signed_release_is_taken() -> None:
    header, payload = split_release(make_release("0.2.0"))

    assert require_signed(header, KEYS).version == "0.2.0"
    assert header.manifest.size == len(payload)


def test_a_key_that_is_not_trusted_signs_nothing() -> None:
    with pytest.raises(BadRelease, match="签名不对"):
        require_signed(header_of(make_release("0.2.0", keys=(OTHER_KEY,))), KEYS)


def test_an_unsigned_one_is_refused() -> None:
    with pytest.raises(BadRelease, match="签名不对"):
        require_signed(header_of(make_release("0.2.0", keys=())), KEYS)


def test_where_two_keys_are_needed_one_is_not_enough_and_counts_once() -> None:
    with pytest.raises(BadRelease, match="只有 1 个"):
        require_signed(header_of(make_release("0.2.0", keys=(KEY, KEY))), TWO_OF_THREE)

    assert require_signed(header_of(make_release("0.2.0", keys=(KEY, OTHER_KEY))), TWO_OF_THREE).version == "0.2.0"


def test_the_same_key_listed_twice_counts_once() -> None:
    twice = ReleaseKeys(keys=[KEYS.keys[0], KEYS.keys[0]], needed=2)
    with pytest.raises(BadRelease, match="只有 1 个"):
        require_signed(header_of(make_release("0.2.0")), twice)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"0.2.0"', '"0.9.0"'), ('"minimum_from":"0.0.0"', '"minimum_from":"0.0.1"'), ('"needs":{}', '"needs":{"a":"1"}')],
)
def test_a_manifest_changed_after_signing_is_refused(old: str, new: str) -> None:
    signed = header_of(make_release("0.2.0"))
    text = signed.text.replace(old, new)
    assert text != signed.text

    with pytest.raises(BadRelease, match="签名不对"):
        require_signed(read_header(Header(signed.manifest, text, signed.signatures).dump()), KEYS)


def test_a_signature_of_one_release_does_not_sign_another() -> None:
    good, other = header_of(make_release("0.2.0")), header_of(make_release("0.3.0", keys=()))

    with pytest.raises(BadRelease, match="签名不对"):
        require_signed(Header(other.manifest, other.text, good.signatures), KEYS)


def test_any_changed_byte_of_the_payload_is_found() -> None:
    release = make_release("0.2.0")
    begin = release.index(b"\n") + 1
    for place in range(begin, len(release), 37):
        changed = bytearray(release)
        changed[place] ^= 1
        with pytest.raises(BadRelease, match="不完整或已损坏"):
            split_release(bytes(changed))


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_cut_one_is_refused_and_so_is_one_that_is_too_long(cut: int) -> None:
    release = make_release("0.2.0")
    for wrong in (release[:-cut], release + b"x" * cut):
        with pytest.raises(BadRelease, match="不完整或已损坏"):
            split_release(wrong)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"release":"{}","signatures":{}}',
        b'{"release":"x","signatures":{}}',
        b'{"release":"{}","signatures":{},"more":1}',
        b"x" * (MAX_HEADER_BYTES + 1),
    ],
)
def test_what_is_no_header_is_refused_with_a_sentence(line: bytes) -> None:
    with pytest.raises(BadRelease, match="升级包"):
        read_header(line)


@pytest.mark.parametrize(("name", "value"), [("version", "1"), ("version", "1.2.x"), ("size", 0), ("product", "other")])
def test_a_manifest_that_says_nonsense_is_refused(name: str, value: object) -> None:
    good = header_of(make_release("0.2.0"))
    text = json.dumps({**json.loads(good.text), name: value})
    with pytest.raises(BadRelease):
        read_header(Header(good.manifest, text, good.signatures).dump())


def test_a_field_of_a_later_day_is_signed_and_kept() -> None:
    good = describe(b"x", version="0.2.0", minimum_from="0.0.0", created=CREATED, needs={})
    text = json.dumps({**json.loads(good.text), "wish": "later"})
    header = read_header(Header(good.manifest, text, {}).sign([KEY]).dump())

    assert require_signed(header, KEYS).model_extra == {"wish": "later"}


def test_versions_compare_as_numbers() -> None:
    assert read_version("0.10.0") > read_version("0.9.9")
    assert read_version("1.0.0") > read_version("0.99.99")


def test_keys_are_read_from_a_file_and_a_damaged_one_is_no_open_door(tmp_path: Path) -> None:
    file = tmp_path / "release_keys.toml"
    assert read_keys(file) is None
    file.write_text(f'needed = 1\nkeys = ["{KEYS.keys[0]}"]\n')
    assert read_keys(file) == KEYS
    for wrong in ("keys = []", 'keys = ["xyz"]', "needed = 0", "\x00"):
        file.write_text(wrong)
        with pytest.raises(BadRelease, match="发行公钥"):
            read_keys(file)
