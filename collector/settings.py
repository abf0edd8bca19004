"""Settings of the centre: environment (`YUANJIAO_…`) over systemd credentials over `collector.toml` over defaults."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from collector.keys import Keys, Robot, SmsGateway, WecomApp

DEFAULT_FILE = Path("/etc/yuanjiao/collector.toml")
CREDENTIALS = Path("/run/credentials/yuanjiao-collector.service")


class Settings(BaseSettings):
    """Everything that can differ between two installations. Thresholds of rules are each district's own settings."""

    model_config = SettingsConfigDict(
        env_prefix="YUANJIAO_",
        toml_file=DEFAULT_FILE,
        secrets_dir=CREDENTIALS if CREDENTIALS.is_dir() else None,
        extra="forbid",
        frozen=True,
    )

    database: str = "sqlite+aiosqlite:////var/lib/yuanjiao/centre.db"
    host: str = "127.0.0.1"
    port: int = 8440
    public_url: str = "http://127.0.0.1:8440"
    """How stations and people reach this centre. With `https` this process speaks TLS itself, see `behind_proxy`."""
    behind_proxy: bool = False
    """Whether a proxy in front of this process ends TLS. It may use `server.pem` of `tls_dir` as its certificate."""
    proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"})
    """Addresses and networks of that proxy: only its word is taken for where a request comes from."""
    tls_dir: Path | None = None
    """Keys and certificates of the centre; where none is named, `tls` beside the SQLite database."""
    timezone: str = "Asia/Shanghai"
    heartbeat_s: Annotated[int, Field(ge=1, le=3600)] = 300
    grace_s: Annotated[int, Field(ge=1, le=86_400)] = 600
    judge_every_s: Annotated[int, Field(ge=1, le=300)] = 15
    patience: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Factor on the fixed waits of rules before they open or close; the demonstration shortens them."""
    fold_every_s: Annotated[int, Field(ge=1, le=300)] = 5
    backlog_lines_per_s: Annotated[int, Field(ge=1)] = 20_000
    """Lines of backlog a second this process asks returning stations for."""
    run_jobs: bool = True
    """Whether `serve` does the periodic work too; turn it off where workers do. SQLite has no workers."""
    keep_months: Annotated[int, Field(ge=3, le=120)] = 13
    """Months for which raw events are kept. What was made of them stays for ever."""
    free_floor_mib: Annotated[int, Field(ge=1)] = 256
    """Below so much free room beside a SQLite database this centre reports itself unready."""
    mail_url: SecretStr | None = None
    """Where mail goes, as apprise writes it: `mailto://user:password@host:port?from=centre@example.cn`."""
    webhook_secret: SecretStr | None = None
    named_hosts: frozenset[str] = frozenset()
    """Hosts, addresses and networks that webhooks of people may lead to; none where none is named."""
    wecom_url: str = "https://qyapi.weixin.qq.com"
    """Where WeCom, DingTalk and Feishu are; an installation of their own for offices has another address."""
    wecom_app: WecomApp | None = None
    wecom_robots: dict[str, Robot] = {}
    """Robots in groups by the name people are given for them, e.g. that of the township."""
    dingtalk_url: str = "https://oapi.dingtalk.com"
    dingtalk_robots: dict[str, Robot] = {}
    feishu_url: str = "https://open.feishu.cn"
    feishu_robots: dict[str, Robot] = {}
    sms: SmsGateway | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first (tests, demo), then environment, credentials, TOML."""
        del dotenv_settings
        return (init_settings, env_settings, file_secret_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def keys(self) -> Keys:
        """What the message channels need."""
        return Keys(**{name: getattr(self, name) for name in Keys.model_fields})

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def speaks_tls(self) -> bool:
        """Whether this process ends TLS itself."""
        return self.public_url.startswith("https:") and not self.behind_proxy

    @property
    def tls_folder(self) -> Path:
        if self.tls_dir is not None:
            return self.tls_dir
        driver, _, file = self.database.partition(":///")
        return Path(file).parent / "tls" if driver.startswith("sqlite") else Path("/var/lib/yuanjiao/tls")
