"""Machine interface of the register: enrolment of a new station."""

from fastapi import APIRouter, Request

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.stations import service
from shared import signing
from shared.wire.v1 import ENROL_PATH, EnrolAnswer, EnrolRequest

router = APIRouter()


@router.post(ENROL_PATH, summary="Enrol a station with its one-time code")
async def enrol(request: Request, body: EnrolRequest) -> EnrolAnswer:
    """The request must be signed by the very key it brings, under the station name `0/0`."""
    centre: Centre = request.app.state.centre
    public_key = bytes.fromhex(body.public_key)
    try:
        claim = signing.read_claim(request.headers.get("authorization"))
        signing.verify(claim, public_key, method="POST", path=ENROL_PATH, body=await request.body())
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error
    now_ms = centre.now_ms
    station = await service.enrol(centre.database, code=body.code, public_key=public_key, now_ms=now_ms)
    return EnrolAnswer(
        station=station.wire_name, title=station.title, time=now_ms, heartbeat_s=centre.settings.heartbeat_s
    )
