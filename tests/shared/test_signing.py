import base64

import pytest

from shared import signing

KEY = signing.new_key()
PUBLIC = bytes(KEY.verify_key)
BODY = b'{"wire":1}\n'
HEADER = signing.authorization(KEY, method="POST", path="/api/v1/push", station="510802/17", body=BODY)


def check(
    header: str, *, key: bytes = PUBLIC, method: str = "POST", path: str = "/api/v1/push", body: bytes = BODY
) -> None:
    signing.verify(signing.read_claim(header), key, method=method, path=path, body=body)


def test_a_request_signed_by_the_station_is_accepted() -> None:
    check(HEADER)

    claim = signing.read_claim(HEADER)
    assert (claim.algorithm, claim.station, claim.key_id) == ("ed25519", "510802/17", signing.key_id(PUBLIC))


def test_nothing_that_is_signed_can_be_changed() -> None:
    with pytest.raises(signing.BadSignature, match="does not fit"):
        check(HEADER, method="PUT")
    with pytest.raises(signing.BadSignature, match="does not fit"):
        check(HEADER, path="/api/v1/enrol")
    with pytest.raises(signing.BadSignature, match="does not fit"):
        check(HEADER, body=BODY + b" ")
    with pytest.raises(signing.BadSignature, match="does not fit"):
        check(HEADER.replace("510802/17", "510802/18"))
    with pytest.raises(signing.BadSignature, match="does not fit"):
        check(HEADER.replace(signing.key_id(PUBLIC), "0" * 16))


OTHERS = {"another": bytes(signing.new_key().verify_key), "empty": b"", "short": b"short", "zeros": bytes(32)}


@pytest.mark.parametrize("key", OTHERS.values(), ids=OTHERS)
def test_another_key_or_no_key_at_all_accepts_nothing(key: bytes) -> None:
    with pytest.raises(signing.BadSignature):
        check(HEADER, key=key)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer abc",
        HEADER + " ",
        HEADER.replace("Yuanjiao", "yuanjiao"),
        HEADER.replace('station="510802/17"', 'station="510802"'),
        HEADER.replace('sig="', 'sig="' + "A" * 300),
        HEADER.replace('sig="', 'sig="=A'),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_before_anything_else(header: str | None) -> None:
    with pytest.raises(signing.BadSignature):
        signing.read_claim(header)


def test_an_algorithm_of_tomorrow_is_refused_by_its_name() -> None:
    with pytest.raises(signing.BadSignature, match="algorithm ml-dsa-65 is not known here; use ed25519"):
        signing.read_claim(HEADER.replace("ed25519", "ml-dsa-65"))


def test_a_signature_of_the_wrong_length_does_not_fit() -> None:
    claim = signing.read_claim(HEADER)
    cut = claim._replace(signature=claim.signature[:-1])

    with pytest.raises(signing.BadSignature, match="does not fit"):
        signing.verify(cut, PUBLIC, method="POST", path="/api/v1/push", body=BODY)
    assert len(base64.b64encode(claim.signature)) == 88
