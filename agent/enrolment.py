"""Turns a code typed by the operator into the station's identity."""

import hashlib
import json
import ssl
from pathlib import Path

from pydantic import ValidationError

from agent.errors import EnrolmentError
from agent.identity import Keeping, key_for_code, save_identity
from agent.transport import Response, Transport, fetch_unverified
from agent.version import VERSION
from shared import codes, signing
from shared.wire.v1 import ENROL_PATH, TRUST_PATH, EnrolAnswer, EnrolRequest, Trust

_NO_STATION = "0/0"


def enrol(code: str, *, centre: str, transport: Transport, state_dir: Path) -> EnrolAnswer:
    """Enrol this machine and keep its identity.

    Safe to run again: the same code and key give the same answer.
    Raises EnrolmentError with a sentence for the operator, LinkError without a connection.
    """
    try:
        plain = codes.normalise(code)
    except codes.MistypedCodeError as error:
        raise EnrolmentError("安装码输入有误，请对照安装单逐位核对（共 12 位，不分大小写）。") from error
    key = key_for_code(state_dir, plain)
    request = EnrolRequest(code=plain, public_key=bytes(key.verify_key).hex(), agent=VERSION)
    body = request.model_dump_json().encode()
    header = signing.authorization(key, method="POST", path=ENROL_PATH, station=_NO_STATION, body=body)
    headers = {"Authorization": header, "Content-Type": "application/json"}
    response = transport.post(ENROL_PATH, body, headers)
    answer = _read(response)
    _require_honest(response, answer, body)
    if answer.trust is not None:
        Keeping(state_dir).keep_trust(answer.trust.version, answer.trust.authorities)
    save_identity(
        state_dir,
        code=plain,
        station=answer.station,
        title=answer.title,
        centre=centre,
        centre_key=answer.centre_key,
    )
    return answer


def pin(centre: str, state_dir: Path, *, fingerprint: str | None) -> str:
    """Fetch the centre's authority and keep it for every connection from now on. Returns its fingerprint.

    The authority is whatever answered at this address, so it must be the one whose fingerprint the code sheet shows.
    With None, the first one met is trusted: whoever sits on the line at that moment can pose as the centre for ever.
    Raises EnrolmentError when it is another one, LinkError without a connection.
    """
    if not centre.startswith("https:"):
        raise EnrolmentError("中心指纹只用于 https 网址。请核对安装单上的中心网址（应以 https:// 开头）。")
    try:
        offered = Trust.model_validate_json(fetch_unverified(centre, TRUST_PATH)).authorities
    except ValidationError as error:
        raise EnrolmentError("这个地址没有给出中心证书，请核对中心网址。") from error
    found = {_fingerprint(each): each for each in reversed(offered)}
    wanted = next(reversed(found)) if fingerprint is None else codes.read_spelling(fingerprint)
    if wanted not in found:
        raise EnrolmentError(
            "中心指纹对不上：这个地址可能不是远教中心，也可能输错了。请对照安装单第二行逐位核对；仍不行请联系区中心。"
        )
    Keeping(state_dir).keep_trust(0, [found[wanted]])
    return wanted


def pin_file(ca_file: Path, state_dir: Path) -> None:
    """Keep an authority that was carried here by hand."""
    try:
        Keeping(state_dir).keep_trust(0, [ca_file.read_text("ascii")])
    except (OSError, UnicodeDecodeError) as error:
        raise EnrolmentError(f"读不到证书文件 {ca_file}。请核对文件名。") from error


def _fingerprint(authority: str) -> str:
    try:
        return codes.spell(hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).digest()[:10])
    except ValueError as error:
        raise EnrolmentError("这个地址给出的中心证书无法识别，请核对中心网址。") from error


def _require_honest(response: Response, answer: EnrolAnswer, request: bytes) -> None:
    """Authorities must be signed with the key they come with; so must an answer whose certificate met no clock."""
    try:
        centre_key = bytes.fromhex(answer.centre_key)
        if answer.trust is not None:
            trust = answer.trust
            signing.check_trust(trust.signature, centre_key, version=trust.version, authorities=trust.authorities)
        if response.valid_ms is not None:
            signing.check_answer(response.proof, centre_key, station=_NO_STATION, request=request, answer=response.body)
            if not response.valid_ms[0] <= answer.time <= response.valid_ms[1]:
                raise EnrolmentError("中心的证书已经过期。请联系区中心更新证书后再试。")
    except signing.BadSignature as error:
        raise EnrolmentError("中心的回答没有正确的签名。请联系区中心。") from error


def _read(response: Response) -> EnrolAnswer:
    if response.status != 200:
        raise EnrolmentError(_reason(response))
    try:
        return EnrolAnswer.model_validate_json(response.body)
    except ValidationError as error:
        raise EnrolmentError("这个地址不是远教中心，请核对中心网址。") from error


def _reason(response: Response) -> str:
    """The centre's own sentence where it sent one."""
    try:
        detail = json.loads(response.body)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"中心没有接受（状态 {response.status}），请核对中心网址后再试。"
    return str(detail)
