"""Machine interface: the gateway of short messages tells what became of them."""

import hmac

from fastapi import APIRouter, Request

from collector.alerts import receipts, service
from collector.alerts.receipts import PATH, Noted, Receipts
from collector.centre import Centre
from collector.errors import PushRefusedError

router = APIRouter()
_AGAIN_S = 30


@router.post(PATH, summary="What became of short messages")
async def take_receipts(request: Request, body: Receipts) -> Noted:
    """The gateway shows the token it is called with."""
    centre: Centre = request.app.state.centre
    gateway = centre.settings.keys.sms
    token = "" if gateway is None else gateway.token.get_secret_value()
    shown = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(shown.encode(), token.encode()):
        raise PushRefusedError(401, "bad-token", "send the gateway's token: Authorization: Bearer …")
    channels = service.open_channels(centre.settings.keys)
    async with centre.database.write() as connection:
        noted, early = await receipts.take(connection, body.receipts, channels=channels, now_ms=centre.now_ms)
    if early:
        raise PushRefusedError(503, "early", "a message is still being handed over", retry_after_s=_AGAIN_S)
    return Noted(noted=noted)
