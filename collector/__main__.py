"""The command `yuanjiao-collector`."""

import argparse
import asyncio
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from collector import recovery, setup
from collector.errors import CentreError
from collector.intake.verifying import BAD
from collector.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors people can mend are one sentence on stderr and status 2."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options, Settings()) or 0)
    except CentreError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _init(options: argparse.Namespace, settings: Settings) -> None:
    register = options.register.read_bytes() if options.register else None
    made = asyncio.run(
        setup.init(settings, district_id=options.district, name=options.name, register=register, total=options.stations)
    )
    print(f"{made.name}：{made.townships} 个乡镇（街道），{made.stations} 个终端站点已建立。")
    print("请在 24 小时内打开下面的一次性链接，设置管理员账号：")
    print(made.link)
    fingerprint = setup.get_fingerprint(settings)
    if fingerprint:
        print(f"中心指纹（印在安装单第二行）：{fingerprint}")


def _serve(options: argparse.Namespace, settings: Settings) -> None:
    from collector.serving import serve  # noqa: PLC0415 - the web stack is loaded only where it is needed

    del options
    serve(settings)


def _worker(options: argparse.Namespace, settings: Settings) -> None:
    from collector.serving import work  # noqa: PLC0415 - as above

    del options
    work(settings)


def _migrate(options: argparse.Namespace, settings: Settings) -> None:
    del options
    asyncio.run(setup.bring_up_to_date(settings))
    print("数据库已是最新版本。")


def _backup(options: argparse.Namespace, settings: Settings) -> None:
    made = asyncio.run(recovery.backup(settings.database, options.folder, keys=settings.tls_folder, keep=options.keep))
    print(f"已备份并检查：{options.folder / made.file}")


def _restore(options: argparse.Namespace, settings: Settings) -> None:
    manifest, old = asyncio.run(recovery.restore(settings.database, options.file, keys=settings.tls_folder))
    print(f"已恢复到 {manifest.made.astimezone(settings.zone):%Y-%m-%d %H:%M} 的备份。")
    print("现在可以启动 serve；备份之后的数据由站点自动补传。")
    if old is not None:
        print(f"原来的数据库保存在：{old}")


def _codes(options: argparse.Namespace, settings: Settings) -> None:
    rows = asyncio.run(setup.make_codes(settings, district_id=options.district, township=options.township))
    text = io.StringIO()
    sheet = csv.writer(text)
    fingerprint = setup.get_fingerprint(settings)
    sheet.writerow(("station", "title", "code", "fingerprint"))
    sheet.writerows((*row, fingerprint) for row in rows)
    if options.out is None:
        print(text.getvalue(), end="")
    else:
        options.out.write_text(text.getvalue(), "utf-8-sig")


def _renew(options: argparse.Namespace, settings: Settings) -> None:
    changed = setup.renew(settings, new_authority=options.new_authority)
    print("证书已更新；运行中的中心会自动换用。" if changed else "证书还在有效期内，不需要更新。")
    print(f"中心指纹：{setup.get_fingerprint(settings)}")


def _release(options: argparse.Namespace, settings: Settings) -> None:
    title = asyncio.run(setup.release(settings, station=options.station))
    print(f"{title} 已放行：下一台联系中心的电脑继续使用这个站点。如果仍有两台，会再次被发现。")


def _verify_history(options: argparse.Namespace, settings: Settings) -> int:
    found = asyncio.run(setup.verify_history(settings, district_id=options.district, station=options.station))
    sheet = csv.writer(sys.stdout)
    sheet.writerow(("station", "stream", "verdict", "first", "pledged", "stored", "declared"))
    for each in found:
        place = (each.station, each.stream, each.verdict, each.first or "")
        sheet.writerow((*place, each.pledged, each.stored, each.declared))
    bad = sum(each.verdict in BAD for each in found)
    print(f"共 {len(found)} 段记录，{bad} 段与站点的签名不符或有缺失。", file=sys.stderr)
    return 1 if bad else 0


def _rotate_keys(options: argparse.Namespace, settings: Settings) -> None:
    asyncio.run(setup.order_rotation(settings, district_id=options.district, station=options.station))
    print("已下令：站点下次联系中心时换用新密钥，旧密钥一天后失效。")


def _upgrade_add(options: argparse.Namespace, settings: Settings) -> None:
    content, keys = setup.read_release(options.file, options.keys)
    version = asyncio.run(setup.add_release(settings, district_id=options.district, content=content, keys=keys))
    print(f"升级包 {version} 已收下" + ("，签名已核对。" if keys else "。没有给出 --keys，签名由站点自己核对。"))
    print(f"先给几个站点试用：yuanjiao-collector upgrade offer {version} --station 站点编号")


def _upgrade_offer(options: argparse.Namespace, settings: Settings) -> None:
    count = asyncio.run(
        setup.offer_release(
            settings,
            district_id=options.district,
            version=options.version,
            chosen=setup.Ring(options.station, options.township, everybody=options.all),
            untried=options.untried,
        )
    )
    print(f"版本 {options.version} 已发给{'全部' if options.all else f' {count} 个'}站点；它们会在六小时内自己取用。")


def _upgrade_withdraw(options: argparse.Namespace, settings: Settings) -> None:
    asyncio.run(setup.withdraw_release(settings, district_id=options.district, version=options.version))
    print(f"版本 {options.version} 不再发放；已经换用的站点不受影响。")


def _upgrade_list(options: argparse.Namespace, settings: Settings) -> None:
    sheet = csv.writer(sys.stdout)
    sheet.writerow(("station", "title", "running", "offered", "state"))
    sheet.writerows(asyncio.run(setup.list_upgrades(settings, district_id=options.district)))


def _link(options: argparse.Namespace, settings: Settings) -> None:
    print(asyncio.run(setup.make_link(settings, district_id=options.district, account=options.account)))


def _import(options: argparse.Namespace, settings: Settings) -> None:
    content = options.file.read_bytes()
    added = asyncio.run(setup.import_people(settings, district_id=options.district, content=content))
    print(f"已登记 {added} 人。")


def _import_bundle(options: argparse.Namespace, settings: Settings) -> int:
    good = asyncio.run(setup.import_bundles(settings, files=options.files, tell=print))
    return 0 if good else 2


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from collector.demo import demo  # noqa: PLC0415 - as above

    del settings
    return demo(seconds=options.seconds, port=options.port)


def _count(text: str) -> int:
    """A number of at least one. Raises ValueError, which argparse turns into its own message."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yuanjiao-collector", description="远教中心")
    commands = parser.add_subparsers(required=True, metavar="命令")

    init = commands.add_parser("init", help="建立一个区县：行政区划、站点和第一个管理员的一次性链接")
    init.add_argument("--district", type=int, default=510802, help="区县代码（六位）")
    init.add_argument("--name", default="利州区", help="区县名称")
    init.add_argument("--register", type=Path, help="乡镇与村的 CSV；不给则使用自带的利州区 2016 年名册")
    init.add_argument("--stations", type=int, help="站点总数；多出的设在最大的乡镇")
    init.set_defaults(run=_init)

    commands.add_parser("serve", help="启动中心").set_defaults(run=_serve)
    commands.add_parser("worker", help="只做定期工作（PostgreSQL，可多开）").set_defaults(run=_worker)
    commands.add_parser("migrate", help="升级数据库").set_defaults(run=_migrate)
    _add_upkeep(commands)
    _add_upgrade(commands)

    codes = commands.add_parser("codes", help="为站点生成安装码（CSV）")
    codes.add_argument("--district", type=int, default=510802)
    codes.add_argument("--township", help="只生成一个乡镇的")
    codes.add_argument("--out", type=Path, help="写入文件；不给则打印")
    codes.set_defaults(run=_codes)

    release = commands.add_parser("release", help="放行一个因疑似复制而暂停的站点")
    release.add_argument("station", help="站点编号，例如 510802/17")
    release.set_defaults(run=_release)

    link = commands.add_parser("link", help="生成一次性登录链接")
    link.add_argument("--district", type=int, default=510802)
    link.add_argument("--account", help="账号；不给则为第一个区中心人员")
    link.set_defaults(run=_link)

    people = commands.add_parser("import", help="登记人员（CSV：name,role,township,station,phone,email,webhook）")
    people.add_argument("file", type=Path)
    people.add_argument("--district", type=int, default=510802)
    people.set_defaults(run=_import)

    bundle = commands.add_parser("import-bundle", help="导入站点用U盘送来的记录包，并写出回执")
    bundle.add_argument("files", type=Path, nargs="+", metavar="FILE", help="站点写出的 .bundle 文件")
    bundle.set_defaults(run=_import_bundle)

    show = commands.add_parser("demo", help="演示：利州区 245 个站点")
    show.add_argument("--for", dest="seconds", type=int, help="运行多少秒后结束；不给则按 Ctrl-C 结束")
    show.add_argument("--port", type=int, default=8440)
    show.set_defaults(run=_demo)
    return parser


def _add_upkeep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backup = commands.add_parser("backup", help="备份（中心运行时也可以），并检查、轮换")
    backup.add_argument("folder", type=Path, help="备份目录；请放在另一块磁盘上")
    backup.add_argument("--keep", type=_count, default=14, help="保留最近几份")
    backup.set_defaults(run=_backup)

    restore = commands.add_parser("restore", help="用备份恢复（先停止中心）；原数据库会移到旁边")
    restore.add_argument("file", type=Path, help="备份文件")
    restore.set_defaults(run=_restore)

    rotate = commands.add_parser("rotate-keys", help="让站点换用新密钥（平时每年自动一次）")
    rotate.add_argument("--district", type=int, default=510802)
    rotate.add_argument("--station", help="站点编号，例如 510802/17；不给则为全区县")
    rotate.set_defaults(run=_rotate_keys)

    verify = commands.add_parser("verify-history", help="核对已收到的记录是否仍与站点的签名相符（CSV）")
    verify.add_argument("--district", type=int, default=510802)
    verify.add_argument("--station", help="站点编号，例如 510802/17；不给则为全区县")
    verify.set_defaults(run=_verify_history)

    renew = commands.add_parser("renew", help="更新中心的 TLS 证书（运行中的中心每天自动检查）")
    renew.add_argument("--new-authority", action="store_true", help="预告并逐步换用新的根证书（约半年）")
    renew.set_defaults(run=_renew)


def _add_upgrade(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    upgrade = commands.add_parser("upgrade", help="站点程序的升级包：收下、发放、查看进度")
    acts = upgrade.add_subparsers(required=True, metavar="动作")

    add = acts.add_parser("add", help="收下一个签过名的升级包")
    add.add_argument("file", type=Path, help=".release 文件")
    add.add_argument("--keys", type=Path, help="发行公钥文件（release_keys.toml）；给出则核对签名")
    add.set_defaults(run=_upgrade_add)

    offer = acts.add_parser("offer", help="发给一些站点试用，或发给全部")
    offer.add_argument("version")
    whom = offer.add_mutually_exclusive_group(required=True)
    whom.add_argument("--station", action="append", default=[], help="站点编号，例如 510802/17；可以写多次")
    whom.add_argument("--township", help="一个乡镇的全部站点")
    whom.add_argument("--all", action="store_true", help="全部站点")
    offer.add_argument("--untried", action="store_true", help="没有站点试用过也发给全部")
    offer.set_defaults(run=_upgrade_offer)

    withdraw = acts.add_parser("withdraw", help="不再发放")
    withdraw.add_argument("version")
    withdraw.set_defaults(run=_upgrade_withdraw)

    listing = acts.add_parser("list", help="每个站点在用的版本和升级进度（CSV）")
    listing.set_defaults(run=_upgrade_list)
    for each in (add, offer, withdraw, listing):
        each.add_argument("--district", type=int, default=510802)


if __name__ == "__main__":
    raise SystemExit(main())
