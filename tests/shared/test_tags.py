import pytest

from shared import signing, tags
from shared.signing import BadSignature, key_id
from shared.wire.v1 import PATH

STATION, CENTRE, OTHER = signing.new_key(), signing.new_key(), signing.new_key()
SECRET = tags.station_secret(STATION, bytes(CENTRE.verify_key))
NAME = "510802/17"
KEY = key_id(bytes(STATION.verify_key))
BODY = b"a push"
HEADER = tags.authorization(SECRET, key_id=KEY, method="POST", path=PATH, station=NAME, body=BODY)


def check(header: str, *, secret: bytes = SECRET, method: str = "POST", path: str = PATH, body: bytes = BODY) -> None:
    tags.verify(signing.read_claim(header, {tags.ALGORITHM}), secret, method=method, path=path, body=body)


def test_both_sides_derive_one_secret_and_nobody_else_does() -> None:
    assert tags.centre_secret(CENTRE, bytes(STATION.verify_key)) == SECRET
    others = [
        tags.station_secret(STATION, bytes(OTHER.verify_key)),
        tags.station_secret(OTHER, bytes(CENTRE.verify_key)),
        tags.centre_secret(OTHER, bytes(STATION.verify_key)),
        tags.station_secret(CENTRE, bytes(STATION.verify_key)),  # the two have changed places
    ]
    assert SECRET not in others
    check(HEADER)


@pytest.mark.parametrize(
    "change", [{"method": "GET"}, {"path": "/api/v1/rotate"}, {"body": BODY + b" "}, {"secret": bytes(32)}]
)
def test_a_tag_fits_its_own_request_only(change: dict[str, str]) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        check(HEADER, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("pair", [(NAME, "510802/18"), (KEY, "0" * 16), (KEY, key_id(bytes(OTHER.verify_key)))])
def test_a_tag_fits_its_own_station_and_key_only(pair: tuple[str, str]) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        check(HEADER.replace(*pair))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_tag_of_another_length_is_none(length: int) -> None:
    claim = signing.read_claim(HEADER, {tags.ALGORITHM})
    with pytest.raises(BadSignature, match="does not fit"):
        tags.verify(
            claim._replace(signature=(claim.signature * 2)[:length]), SECRET, method="POST", path=PATH, body=BODY
        )


def test_where_signatures_are_asked_for_a_tag_is_none() -> None:
    with pytest.raises(BadSignature, match="is not known here; use ed25519"):
        signing.read_claim(HEADER)
    signed = signing.authorization(STATION, method="POST", path=PATH, station=NAME, body=BODY)
    with pytest.raises(BadSignature, match="does not fit"):
        tags.verify(signing.read_claim(signed), SECRET, method="POST", path=PATH, body=BODY)
    renamed = HEADER.replace(tags.ALGORITHM, signing.ALGORITHM)
    with pytest.raises(BadSignature, match="does not fit"):
        signing.verify(signing.read_claim(renamed), bytes(STATION.verify_key), method="POST", path=PATH, body=BODY)


@pytest.mark.parametrize(
    "point", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"short", b"", b"\xec" + b"\xff" * 30 + b"\x7f"]
)
def test_no_secret_is_derived_with_what_is_no_good_key(point: bytes) -> None:
    with pytest.raises(BadSignature, match="no secret"):
        tags.centre_secret(CENTRE, point)


def test_a_pledge_holds_for_its_own_chain_only() -> None:
    facts = {"station": NAME, "stream": "5" * 32, "seq": 7, "head": "ab" * 32}
    signature = bytes.fromhex(tags.pledge(STATION, **facts))  # type: ignore[arg-type]
    public = bytes(STATION.verify_key)
    tags.check_pledge(signature, public, **facts)  # type: ignore[arg-type]
    for change in ({"station": "510802/18"}, {"stream": "6" * 32}, {"seq": 8}, {"head": "ac" * 32}):
        with pytest.raises(BadSignature):
            tags.check_pledge(signature, public, **(facts | change))  # type: ignore[arg-type]
    for wrong in (bytes(64), signature[:63], b""):
        with pytest.raises(BadSignature):
            tags.check_pledge(wrong, public, **facts)  # type: ignore[arg-type]
    with pytest.raises(BadSignature):
        tags.check_pledge(signature, bytes(OTHER.verify_key), **facts)  # type: ignore[arg-type]
