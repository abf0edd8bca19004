"""The command `yuanjiao-agent`."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import agent
from agent.errors import AgentError, SettingsError
from agent.version import VERSION
from shared.clock import SystemClock

if TYPE_CHECKING:
    from agent.settings import AgentSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors people can mend are one sentence on stderr and status 2."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        if options.run is _session:
            _session(options)
            return 0
        from agent.settings import read_settings  # noqa: PLC0415 - the helper has no use for pydantic

        return int(options.run(options, read_settings(options.settings)) or 0)
    except AgentError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace, settings: "AgentSettings") -> int:
    from agent.app import build, run  # noqa: PLC0415 - each command loads only what it uses
    from agent.identity import load_identity, pinned_ca  # noqa: PLC0415
    from agent.transport import HttpTransport  # noqa: PLC0415

    del options
    identity = load_identity(settings.state_dir)
    ca_file = pinned_ca(settings.state_dir, settings.ca_file)
    transport = HttpTransport(settings.centre or identity.centre, ca_file)
    clock = SystemClock()
    return run(build(settings, identity, transport, clock.now()), settings, clock)


def _session(options: argparse.Namespace) -> None:
    # asyncio does without ssl, and the helper speaks to nobody outside this PC: 5 MB less all day.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    from agent.session.helper import run  # noqa: PLC0415

    run(options.socket, SystemClock())


def _enroll(options: argparse.Namespace, settings: "AgentSettings") -> None:
    from agent.enrolment import enrol, pin, pin_file  # noqa: PLC0415
    from agent.handover import hand_over  # noqa: PLC0415
    from agent.identity import pinned_ca  # noqa: PLC0415
    from agent.transport import HttpTransport  # noqa: PLC0415

    centre, state_dir = options.centre or settings.centre, settings.state_dir
    if not centre:
        raise SettingsError("还不知道中心的网址。请加上 --centre，例如：--centre https://centre.example.cn:8440")
    if options.fingerprint:
        pin(centre, state_dir, fingerprint=options.fingerprint)
    elif options.ca_file:
        pin_file(options.ca_file, state_dir)
    elif options.trust_first_use:
        print(f"警告：没有核对就信任了 {centre}。请用电话向区中心核对它的指纹：", file=sys.stderr)
        print(pin(centre, state_dir, fingerprint=None), file=sys.stderr)
    transport = HttpTransport(centre, pinned_ca(state_dir, settings.ca_file))
    answer = enrol(options.code, centre=centre, transport=transport, state_dir=state_dir)
    hand_over(state_dir)
    print(f"登记成功：{answer.title}。现在可以启动：systemctl start yuanjiao-agent")


def _doctor(options: argparse.Namespace, settings: "AgentSettings") -> int:
    from agent.checkup import check_up  # noqa: PLC0415
    from agent.doctor import render  # noqa: PLC0415

    del options
    findings = check_up(settings, SystemClock().now())
    print(render(findings))
    return 1 if any(each.ok is False for each in findings) else 0


def _export(options: argparse.Namespace, settings: "AgentSettings") -> None:
    from agent.bundle import export_bundle  # noqa: PLC0415
    from agent.identity import load_identity  # noqa: PLC0415
    from agent.spool import Spool  # noqa: PLC0415

    now = SystemClock().now()
    spool = Spool(settings.state_dir / "spool", now, joined=True)
    made = export_bundle(options.folder, load_identity(settings.state_dir), spool, now)
    spool.close()
    if made is None:
        print("没有需要带走的记录：中心已经有了全部记录。")
        return
    print(f"已写好记录包（{made.lines} 条）：{made.path}")
    print("下一步：")
    print("  1. 安全弹出U盘，交给乡镇或区中心；")
    print("  2. 在中心的电脑上运行：yuanjiao-collector import-bundle 记录包文件；")
    print("  3. 把中心给的回执（.receipt 文件）带回本机，运行：yuanjiao-agent acknowledge 回执文件。")
    print("记录仍保存在本机。没有回执、或者以后又连上了网，都不会丢失，也不会重复。")


def _acknowledge(options: argparse.Namespace, settings: "AgentSettings") -> None:
    from agent.bundle import take_receipt  # noqa: PLC0415
    from agent.identity import load_identity  # noqa: PLC0415
    from agent.spool import Spool  # noqa: PLC0415

    now = SystemClock().now()
    spool = Spool(settings.state_dir / "spool", now, joined=True)
    waiting = take_receipt(options.file, load_identity(settings.state_dir), spool, now)
    spool.close()
    print(f"回执已收下。还有 {waiting} 条记录等待送出。")


def _upgrade(options: argparse.Namespace, settings: "AgentSettings") -> None:
    from agent.upgrade.carrying import carry_in  # noqa: PLC0415

    version = carry_in(options.source, settings.state_dir, settings.upgrade.keys, VERSION)
    print(f"升级包 {version} 已核对并收下。")
    print("站点程序会在不放片时自己换用新版本（通常一分钟内）；换用后有问题会自动退回。可以拔出U盘了。")


def _player_script(options: argparse.Namespace, settings: "AgentSettings") -> None:
    del options, settings
    print(Path(agent.__file__).with_name("players") / "station_journal.lua")


def _fleet(options: argparse.Namespace, settings: "AgentSettings") -> None:
    from agent.fleet import Plan, read_sheet, run_fleet  # noqa: PLC0415

    del settings
    plan = Plan(
        options.centre, options.state, options.days, options.seed, heartbeat_s=options.heartbeat, dark=options.dark
    )
    run_fleet(plan, read_sheet(options.codes), SystemClock())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yuanjiao-agent", description="远教站点代理")
    parser.add_argument("--settings", type=Path, help="设置文件；不给则为 /etc/yuanjiao/agent.toml")
    commands = parser.add_subparsers(required=True, metavar="命令")

    commands.add_parser("run", help="运行（由 systemd 启动）").set_defaults(run=_run)

    enroll = commands.add_parser("enroll", help="用安装码登记本机")
    enroll.add_argument("code", help="安装单上的 12 位安装码")
    enroll.add_argument("fingerprint", nargs="?", help="安装单第二行的中心指纹（16 位）；中心网址以 https 开头时需要")
    enroll.add_argument("--centre", help="中心网址")
    enroll.add_argument("--ca-file", type=Path, help="带来的中心根证书文件，代替中心指纹")
    enroll.add_argument("--trust-first-use", action="store_true", help="不核对中心指纹（不安全，仅用于试验）")
    enroll.set_defaults(run=_enroll)

    session = commands.add_parser("session", help="桌面会话助手：看播放器和声音（由 systemd --user 启动）")
    session.add_argument("--socket", type=Path, default=Path("/run/yuanjiao/session.sock"), help="站点程序的套接字")
    session.set_defaults(run=_session)

    commands.add_parser("doctor", help="检查本机并说明怎么处理").set_defaults(run=_doctor)

    export = commands.add_parser("export", help="没有网络时：把还没送出的记录写到U盘")
    export.add_argument("folder", type=Path, help="U盘上的目录")
    export.set_defaults(run=_export)

    acknowledge = commands.add_parser("acknowledge", help="收下中心对记录包的回执")
    acknowledge.add_argument("file", type=Path, help="中心给的 .receipt 文件")
    acknowledge.set_defaults(run=_acknowledge)

    upgrade = commands.add_parser("upgrade", help="用U盘上的升级包升级站点程序")
    upgrade.add_argument("source", type=Path, help="升级包文件（.release），或它所在的目录")
    upgrade.set_defaults(run=_upgrade)

    script = commands.add_parser("player-script", help="打印 mpv 播放记录脚本的位置")
    script.set_defaults(run=_player_script)

    fleet = commands.add_parser("fleet", help="许多虚拟站点（演示与压力测试）")
    fleet.add_argument("--codes", type=Path, required=True, help="yuanjiao-collector codes --out 写出的表")
    fleet.add_argument("--centre", required=True, help="中心网址")
    fleet.add_argument("--state", type=Path, required=True, help="存放各虚拟站点数据的目录")
    fleet.add_argument("--days", type=int, default=60, help="补传多少天的历史")
    fleet.add_argument("--seed", type=int, default=1, help="随机种子；相同的种子得到相同的历史")
    fleet.add_argument("--heartbeat", type=int, default=300, help="心跳间隔（秒）")
    fleet.add_argument("--dark", default="", help="整体断线的乡镇")
    fleet.set_defaults(run=_fleet)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
