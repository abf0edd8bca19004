"""What the commands of the centre do to its database, each in one transaction."""

import asyncio
import csv
import io
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from uuid import UUID

from collector import registers, tls
from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.areas.register import read_register
from collector.db.engine import Connection, Database
from collector.db.sqlite_file import held_alone
from collector.errors import BadInputError, InUseError, NotFoundError, SetupError
from collector.intake import verifying
from collector.intake.inbox import Word, hand_in, take_in
from collector.intake.verifying import Checked
from collector.migrate import migrate
from collector.people import queries as people
from collector.people import service as accounts
from collector.people.queries import Role
from collector.releases import service as releases
from collector.seal import load_seal, make_key
from collector.settings import Settings
from collector.stations import queries as stations
from collector.stations import service as decide
from collector.stations.register import plant_register
from collector.stations.service import new_code
from collector.storage.service import first_kept_month
from shared.bundle import RECEIPT_SUFFIX
from shared.clock import wall_ms
from shared.release import BadRelease, ReleaseKeys, read_keys

PEOPLE_COLUMNS = ("name", "role", "township", "station", "phone", "email", "webhook")


@dataclass(frozen=True, slots=True)
class Made:
    """What `init` has set up; `link` signs the first person of the centre in, once."""

    name: str
    townships: int
    stations: int
    link: str


async def init(settings: Settings, *, district_id: int, name: str, register: bytes | None, total: int | None) -> Made:
    """Set up one district in a new or existing database. Raises SetupError when it is there already."""
    content = register
    if content is None:
        content = resources.files(registers).joinpath("lizhou_2016.csv").read_bytes()
    townships = read_register(content)
    prove_centre(settings)
    async with _opened(settings) as database:
        await migrate(database)
        async with database.write() as connection:
            if any(each.district_id == district_id for each in await areas.list_districts(connection)):
                message = f"区县 {district_id} 已经建立过。要登录请运行：yuanjiao-collector link"
                raise SetupError(message)
            now_ms = wall_ms()
            await plant_register(
                connection, district_id, district_name=name, townships=townships, total=total, now_ms=now_ms
            )
            first = await people.add_person(connection, district_id, name="区中心主任", role=Role.CENTRE, now_ms=now_ms)
            token = await accounts.make_link(connection, district_id, first, now_ms=now_ms)
            count = len(await stations.list_stations(connection, district_id))
    return Made(name, len(townships), count, link_address(settings, token))


def prove_centre(settings: Settings) -> None:
    """Make what is missing of the centre's key and, where it speaks TLS itself, of its certificates."""
    make_key(settings.tls_folder)
    if settings.speaks_tls:
        tls.found(tls.Folder(settings.tls_folder), names=names_of(settings), now_ms=wall_ms())


def renew(settings: Settings, *, new_authority: bool) -> bool:
    """Take the steps that are due for certificates; `new_authority` begins the change to a new one.

    Returns whether something changed. A serving centre shows it from the next handshake on.
    """
    folder, now_ms = tls.Folder(settings.tls_folder), wall_ms()
    make_key(folder.path)
    fresh = not folder.trust.exists()
    tls.found(folder, names=names_of(settings), now_ms=now_ms)
    if new_authority:
        tls.announce(folder, now_ms=now_ms)
    return tls.keep_up(folder, names=names_of(settings), now_ms=now_ms) or fresh or new_authority


def get_fingerprint(settings: Settings) -> str:
    """What an operator types after the code, empty where the centre has no authority of its own."""
    seal = load_seal(settings.tls_folder)
    return seal.fingerprint if seal else ""


async def release(settings: Settings, *, station: str) -> str:
    """Set a station free that is held aside; returns its title. Whoever pushes next goes on."""
    async with _opened(settings) as database, database.write() as connection:
        found = await _require_station(connection, station)
        await decide.release(connection, found.district_id, found.station_id, now_ms=wall_ms())
        return found.title


async def verify_history(settings: Settings, *, district_id: int, station: str | None) -> Sequence[Checked]:
    """Whether every stream of a district or a station is still what its station has signed."""
    async with _opened(settings) as database:
        async with database.read() as connection:
            one = None if station is None else await _require_station(connection, station)
        before = first_kept_month(wall_ms(), settings.keep_months, settings.zone)
        number = None if one is None else one.station_id
        of = district_id if one is None else one.district_id
        return await verifying.verify_history(database, of, station_id=number, before=before)


async def order_rotation(settings: Settings, *, district_id: int, station: str | None) -> None:
    """Have one station, or all of the district, make a new key at their next push."""
    async with _opened(settings) as database, database.write() as connection:
        found = None if station is None else await _require_station(connection, station)
        number = None if found is None else found.station_id
        await decide.order_rotation(connection, found.district_id if found else district_id, number, now_ms=wall_ms())


@dataclass(frozen=True, slots=True)
class Ring:
    """Who gets a release: stations by their name on the wire, those of a township, or everybody."""

    stations: Sequence[str]
    township: str | None
    everybody: bool


def read_release(file: Path, keys: Path | None) -> tuple[bytes, ReleaseKeys | None]:
    """What a release's file holds, and the release keys to check it with. Raises BadInputError."""
    try:
        content, trusted = file.read_bytes(), None if keys is None else read_keys(keys)
    except OSError as error:
        raise BadInputError(f"读不到升级包 {file}：{error.strerror}") from error
    except BadRelease as error:
        raise BadInputError(str(error)) from error
    if keys is not None and trusted is None:
        raise BadInputError(f"没有发行公钥文件 {keys}。请核对文件名。")
    return content, trusted


async def add_release(settings: Settings, *, district_id: int, content: bytes, keys: ReleaseKeys | None) -> str:
    """Take a release in, signatures checked where keys are given. Returns its version."""
    async with _opened(settings) as database, database.write() as connection:
        manifest = await releases.add(connection, district_id, content, keys=keys, now_ms=wall_ms())
    return manifest.version


async def offer_release(settings: Settings, *, district_id: int, version: str, chosen: Ring, untried: bool) -> int:
    """Offer a release. Returns to how many stations, 0 for all."""
    async with _opened(settings) as database, database.write() as connection:
        ring = None if chosen.everybody else await _list_ring(connection, district_id, chosen)
        await releases.offer(connection, district_id, version, ring, now_ms=wall_ms(), untried=untried)
    return len(ring or ())


async def _list_ring(connection: Connection, district_id: int, chosen: Ring) -> list[int]:
    if chosen.township is None:
        return [(await _require_station(connection, each)).station_id for each in chosen.stations]
    every = await stations.list_stations(connection, district_id)
    ring = [each.station_id for each in every if each.township == chosen.township]
    if not ring:
        raise NotFoundError(f"没有找到乡镇 {chosen.township}，或它没有站点。")
    return ring


async def withdraw_release(settings: Settings, *, district_id: int, version: str) -> None:
    async with _opened(settings) as database, database.write() as connection:
        await releases.withdraw(connection, district_id, version, now_ms=wall_ms())


async def list_upgrades(settings: Settings, *, district_id: int) -> list[tuple[str, ...]]:
    """Station, title, running and offered version, and in words where it stands."""
    database = Database(settings.database)
    try:
        async with database.read() as connection:
            rows = await releases.list_progress(connection, district_id)
    finally:
        await database.close()
    return [(each.station.wire_name, each.station.title, each.running, each.offered, each.words) for each in rows]


async def _require_station(connection: Connection, wire_name: str) -> stations.Station:
    district_id, _, station_id = wire_name.partition("/")
    if not (district_id.isdecimal() and station_id.isdecimal()):
        raise NotFoundError("站点编号应写成 区县/站点，例如 510802/17（见安装码表第一列）。")
    return await stations.require_station(connection, int(district_id), int(station_id))


def names_of(settings: Settings) -> list[str]:
    return tls.list_names(settings.public_url, settings.host)


async def import_bundles(
    settings: Settings, *, files: Sequence[Path], tell: Callable[[str], None], wait_s: float = 60
) -> bool:
    """Take bundles in, each with its receipt beside it. False when one of them was refused; the others count.

    Where a running centre has the database, it is asked to; who else has it is told by an InUseError.
    """
    try:
        async with _opened(settings) as database:
            seal = load_seal(settings.tls_folder)
            return all([_tell(path, await take_in(database, path, seal, now_ms=wall_ms()), tell) for path in files])
    except InUseError:
        good = True
        for path in files:
            word = await asyncio.to_thread(hand_in, settings.database, path, wait_s=wait_s)
            if word is None:
                raise
            good &= _tell(path, word, tell)
        return good


def _tell(path: Path, word: Word, tell: Callable[[str], None]) -> bool:
    receipt = path.with_suffix(RECEIPT_SUFFIX)
    try:
        if word.good:
            receipt.write_text(word.receipt, "utf-8")
    except OSError as error:
        tell(f"{path.name}：已导入，但回执写不进去（{error.strerror}）。请把U盘插好，再导入一次。")
        return False
    tell(f"{word.said}回执：{receipt}" if word.good else f"{path.name}：{word.said}")
    return word.good


async def bring_up_to_date(settings: Settings) -> None:
    async with _opened(settings) as database:
        await migrate(database)


async def make_codes(settings: Settings, *, district_id: int, township: str | None) -> list[tuple[str, str, str]]:
    """A fresh code for every station of the district or of one township: wire name, title, code."""
    async with _opened(settings) as database, database.write() as connection:
        found = await stations.list_stations(connection, district_id)
        chosen = [each for each in found if township in {None, each.township}]
        if not chosen:
            raise NotFoundError("没有这样的站点。请核对区县代码和乡镇名称（例如 宝轮镇）。")
        now_ms = wall_ms()
        return [
            (each.wire_name, each.title, await new_code(connection, district_id, each.station_id, now_ms=now_ms))
            for each in chosen
        ]


async def make_link(settings: Settings, *, district_id: int, account: str | None) -> str:
    """Address of a one-time sign-in link for an account, or for the first person of the centre."""
    async with _opened(settings) as database, database.write() as connection:
        found = [each for each in await people.list_people(connection, district_id) if _is_wanted(each, account)]
        if not found:
            raise NotFoundError("没有这个账号。不给 --account 则为区中心的第一个人。")
        token = await accounts.make_link(connection, district_id, found[0].person_id, now_ms=wall_ms())
        return link_address(settings, token)


async def import_people(settings: Settings, *, district_id: int, content: bytes) -> int:
    """Register people from CSV, all or none. Raises BadInputError that names the line."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    if tuple(rows.fieldnames or ()) != PEOPLE_COLUMNS:
        message = f"第 1 行的列名应为：{','.join(PEOPLE_COLUMNS)}"
        raise BadInputError(message)
    async with _opened(settings) as database, database.write() as connection:
        townships = {
            each.short: each.area_id for each in await areas.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP)
        }
        titles = {each.title: each.station_id for each in await stations.list_stations(connection, district_id)}
        count = 0
        for line, row in enumerate(rows, start=2):
            await _add_person(connection, district_id, row, line=line, townships=townships, titles=titles)
            count += 1
    return count


def link_address(settings: Settings, token: str) -> str:
    return f"{settings.public_url}/signin/link/{token}"


async def _add_person(
    connection: Connection,
    district_id: int,
    row: dict[str, str],
    *,
    line: int,
    townships: dict[str, UUID],
    titles: dict[str, int],
) -> None:
    township, station = row["township"].strip(), row["station"].strip()
    try:
        role = Role(row["role"].strip())
    except ValueError as error:
        message = f"第 {line} 行 role 应为 {'、'.join(Role)} 之一，现在是「{row['role']}」。"
        raise BadInputError(message) from error
    if township and township not in townships:
        message = f"第 {line} 行的乡镇「{township}」不在名册中，请核对写法（例如 宝轮镇）。"
        raise BadInputError(message)
    if station and station not in titles:
        message = f"第 {line} 行的站点「{station}」不在名册中，请写成「乡镇 村」。"
        raise BadInputError(message)
    await people.add_person(
        connection,
        district_id,
        name=row["name"].strip(),
        role=role,
        now_ms=wall_ms(),
        area_id=townships.get(township),
        station_id=titles.get(station),
        phone=row["phone"].strip(),
        email=row["email"].strip(),
        webhook=row["webhook"].strip(),
    )


def _is_wanted(person: people.Person, account: str | None) -> bool:
    return person.role is Role.CENTRE if account is None else person.account == account


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    """The database for one command that writes. Raises SetupError that says what is in the way."""
    with held_alone(settings.database):
        database = Database(settings.database)
        try:
            yield database
        except sqlite3.OperationalError as error:
            message = f"数据库出错：{error}"
            raise SetupError(message) from error
        finally:
            await database.close()
