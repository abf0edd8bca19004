"""Machine interface of the register: enrolment of a new station, what it shall trust, its next key."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from collector.centre import Centre
from collector.errors import NotFoundError, PushRefusedError
from collector.stations import service
from shared import signing
from shared.wire.v1 import (
    ENROL_PATH,
    ROTATE_PATH,
    TRUST_PATH,
    EnrolAnswer,
    EnrolRequest,
    RotateAnswer,
    RotateRequest,
    Trust,
)

router = APIRouter()


@router.post(ENROL_PATH, response_model=EnrolAnswer, summary="Enrol a station with its one-time code")
async def enrol(request: Request, body: EnrolRequest) -> Response:
    """The request must be signed by the very key it brings, under the station name `0/0`."""
    centre: Centre = request.app.state.centre
    public_key = bytes.fromhex(body.public_key)
    await _prove(request, public_key)
    now_ms = centre.now_ms
    station = await service.enrol(centre.database, code=body.code, public_key=public_key, now_ms=now_ms)
    answer = EnrolAnswer(
        station=station.wire_name,
        title=station.title,
        time=now_ms,
        heartbeat_s=centre.settings.heartbeat_s,
        centre_key=centre.seal.public_key if centre.seal else "",
        trust=centre.seal.trust if centre.seal else None,
    )
    return await _answer(request, "0/0", answer)


@router.post(ROTATE_PATH, response_model=RotateAnswer, summary="Let a station's next key follow its present one")
async def rotate(request: Request, body: RotateRequest) -> Response:
    """Signed by the present key, or by the next one once that has been accepted."""
    centre: Centre = request.app.state.centre
    try:
        claim = signing.read_claim(request.headers.get("authorization"))
        signing.check_key(body.proof, bytes.fromhex(body.public_key), station=claim.station)
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error
    district_id, station_id = map(int, claim.station.split("/"))
    now_ms = centre.now_ms
    signer = await service.require_key(centre.database, district_id, station_id, claim.key_id, now_ms=now_ms)
    await _prove(request, signer)
    new = bytes.fromhex(body.public_key)
    old_until = await service.rotate(
        centre.database, district_id, station_id, signer=claim.key_id, new=new, now_ms=now_ms
    )
    return await _answer(request, claim.station, RotateAnswer(key=signing.key_id(new), old_until=old_until))


@router.get(TRUST_PATH, summary="The authorities of this centre, for a station that is about to enrol")
async def trust(request: Request) -> Trust:
    """Public, and asked for before the centre can be trusted: the station compares it with its code sheet."""
    centre: Centre = request.app.state.centre
    if centre.seal is None or centre.seal.trust is None:
        raise NotFoundError("这个中心没有自己的根证书：登记时不需要中心指纹。")
    return centre.seal.trust


async def _prove(request: Request, public_key: bytes) -> None:
    """Refuse a request that is not signed with this key."""
    try:
        claim = signing.read_claim(request.headers.get("authorization"))
        signing.verify(claim, public_key, method="POST", path=request.url.path, body=await request.body())
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error


async def _answer(request: Request, station: str, answer: BaseModel) -> Response:
    """The answer, with the centre's signature where the station asks for it."""
    seal = request.app.state.centre.seal
    content = answer.model_dump_json().encode()
    headers = {}
    if seal is not None and request.headers.get(signing.ASK_HEADER) == signing.ASK_PROOF:
        headers[signing.PROOF_HEADER] = seal.prove(station=station, request=await request.body(), answer=content)
    return Response(content, media_type="application/json", headers=headers)
