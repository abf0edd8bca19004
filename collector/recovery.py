"""The commands `backup` and `restore`: what a backup needs to know of the schema, and what follows a restore."""

from pathlib import Path

from collector.db.engine import Database
from collector.db.sqlite_file import held_alone
from collector.errors import SetupError
from collector.migrate import get_revision, list_revisions, migrate
from collector.storage import backup as backups
from collector.storage.backup import Manifest
from shared.clock import wall_ms


async def backup(url: str, folder: Path, *, keys: Path, keep: int) -> Manifest:
    """Back up beside a running centre. Raises SetupError with what to do."""
    database = Database(url)
    try:
        revision = await get_revision(database)
    except Exception as error:
        raise SetupError(f"打不开数据库（{type(error).__name__}）。请检查设置 database。") from error
    finally:
        await database.close()
    if revision is None:
        raise SetupError("数据库还没有建立，没有可备份的内容。首次使用请先运行：yuanjiao-collector init")
    return backups.make_backup(url, folder, keys=keys, revision=revision, keep=keep, now_ms=wall_ms())


async def restore(url: str, file: Path, *, keys: Path) -> tuple[Manifest, Path | None]:
    """Put a backup back and bring it to this program's schema. Returns its manifest and where the old file went.

    Stations send again by themselves what the backup does not know, as far as they still keep it.
    """
    manifest = backups.require_sound(file)
    if manifest.revision not in list_revisions():
        raise SetupError(f"这份备份来自更新的版本（{manifest.revision}）。请先升级程序，再恢复。")
    with held_alone(url):
        old = backups.put_back(url, file, manifest, keys=keys, now_ms=wall_ms())
        database = Database(url)
        await migrate(database)
        await database.close()
    return manifest, old
