"""Keys and addresses of message channels: settings read them, channels use them. Never logged, never shown."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Robot(BaseModel):
    """A robot in a group: the key in its address and, where it signs, the secret it signs with."""

    model_config = _STRICT

    token: SecretStr
    secret: SecretStr | None = None


class WecomApp(BaseModel):
    """An application of the office's own in WeCom, which writes to members by their userid."""

    model_config = _STRICT

    corp_id: str
    agent_id: int
    secret: SecretStr


class SmsGateway(BaseModel):
    """A gateway that takes short messages as JSON, see `collector.alerts.channels.sms`."""

    model_config = _STRICT

    url: str
    token: SecretStr
    sign: str = "远教"
    """The registered signature every message begins with, without its brackets."""
    most_parts: Annotated[int, Field(ge=1, le=10)] = 3
    """Parts of 67 characters one message may have."""
    parts_a_day: Annotated[int, Field(ge=1)] = 200
    """What the office pays for: parts a day, all people together."""


class Keys(BaseModel):
    """Everything the channels of this centre need. A channel without its keys stays shut."""

    model_config = _STRICT

    mail_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    named_hosts: frozenset[str] = frozenset()
    wecom_url: str = "https://qyapi.weixin.qq.com"
    wecom_app: WecomApp | None = None
    wecom_robots: Mapping[str, Robot] = {}
    dingtalk_url: str = "https://oapi.dingtalk.com"
    dingtalk_robots: Mapping[str, Robot] = {}
    feishu_url: str = "https://open.feishu.cn"
    feishu_robots: Mapping[str, Robot] = {}
    sms: SmsGateway | None = None
