"""What the centre proves itself with: its Ed25519 key and the authorities it names to its stations."""

from pathlib import Path

from nacl.encoding import HexEncoder
from nacl.signing import SigningKey

from collector.errors import SetupError
from collector.files import replace_file
from collector.tls import Folder, fingerprint, list_authorities, read_standing
from shared import signing, tags
from shared.bundle import Receipt, sign_receipt
from shared.wire.v1 import Trust

_KEY = "centre.key"


class Seal:
    """`trust` is None where the centre has no authority of its own; `refresh` reads it again after a change."""

    def __init__(self, folder: Folder, key: SigningKey) -> None:
        self._folder = folder
        self._key = key
        self.public_key = bytes(key.verify_key).hex()
        self.trust: Trust | None = None
        self.version = 0
        self.refresh()

    def refresh(self) -> None:
        if self._folder.trust.exists():
            version, authorities = read_standing(self._folder).version, list_authorities(self._folder)
            signature = signing.sign_trust(self._key, version=version, authorities=authorities)
            self.trust = Trust(version=version, authorities=authorities, signature=signature)
            self.version = version

    @property
    def fingerprint(self) -> str:
        """What an operator types after the code, empty where the centre has no authority of its own."""
        return fingerprint(self.trust.authorities[0]) if self.trust else ""

    def secret_with(self, station_key: bytes) -> bytes:
        """What the holder of this public key and the centre alone can derive. Raises BadSignature for no key at all."""
        return tags.centre_secret(self._key, station_key)

    def prove(self, *, station: str, request: bytes, answer: bytes) -> str:
        """Value of the header that shows this answer to be the centre's own."""
        return signing.prove_answer(self._key, station=station, request=request, answer=answer)

    def sign_receipt(self, receipt: Receipt) -> Receipt:
        """The same receipt for records carried by hand, with the centre's signature."""
        return sign_receipt(self._key, receipt)


def make_key(folder: Path) -> None:
    """Make the centre's key where it has none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / _KEY).exists():
        replace_file(folder / _KEY, signing.new_key().encode(HexEncoder))


def load_seal(folder: Path) -> Seal | None:
    """The seal of this centre, None where `init` has never made one. Raises SetupError for a damaged key."""
    try:
        return Seal(Folder(folder), SigningKey((folder / _KEY).read_bytes().strip(), HexEncoder))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SetupError(f"读不到中心密钥 {folder / _KEY}（{error}）。请从备份恢复这个目录。") from error
