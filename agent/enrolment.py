"""Turns a code typed by the operator into the station's identity."""

import json
from pathlib import Path

from pydantic import ValidationError

from agent.errors import EnrolmentError
from agent.identity import load_or_make_key, save_identity
from agent.transport import Response, Transport
from agent.version import VERSION
from shared import codes, signing
from shared.wire.v1 import ENROL_PATH, EnrolAnswer, EnrolRequest

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
    key = load_or_make_key(state_dir)
    request = EnrolRequest(code=plain, public_key=bytes(key.verify_key).hex(), agent=VERSION)
    body = request.model_dump_json().encode()
    header = signing.authorization(key, method="POST", path=ENROL_PATH, station=_NO_STATION, body=body)
    headers = {"Authorization": header, "Content-Type": "application/json"}
    answer = _read(transport.post(ENROL_PATH, body, headers))
    save_identity(state_dir, station=answer.station, title=answer.title, centre=centre)
    return answer


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
