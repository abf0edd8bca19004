"""Makes X.509 certificates of a private authority: EC P-256, dates and names as given. No files, no clock."""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 20 * 365
SERVER_DAYS = 2 * 365
_BACKDATED = timedelta(days=1)
"""For clocks that are a little slow."""


@dataclass(frozen=True, slots=True)
class Authority:
    """`cross` is the same key certified by the authority before it, None for the first one."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    cross: x509.Certificate | None

    @property
    def pem(self) -> bytes:
        """Everything about it, private key included."""
        shown = [self.certificate, *([self.cross] if self.cross else [])]
        return _pem_key(self.key) + "".join(map(write_pem, shown)).encode()


def read_authority(content: bytes) -> Authority:
    """The inverse of `Authority.pem`. Raises ValueError."""
    key = serialization.load_pem_private_key(content, None)
    own, *crossed = x509.load_pem_x509_certificates(content)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")  # noqa: TRY004 - the file's content is wrong, not a caller's type
    return Authority(key, own, crossed[0] if crossed else None)


def make_authority(number: int, now_ms: int, *, before: Authority | None) -> Authority:
    """A new authority; `before` certifies it too, so that those who know only that one can follow."""
    key = ec.generate_private_key(ec.SECP256R1())
    until = read_time(now_ms) + timedelta(days=AUTHORITY_DAYS)
    name = f"Yuanjiao authority {number} {hashlib.sha256(_public(key)).hexdigest()[:8]}"
    builder = _as_authority(_builder(name, key.public_key(), None, now_ms, until), path_length=1)
    cross = None
    if before is not None:
        until = min(until, before.certificate.not_valid_after_utc)
        cross = _as_authority(_builder(name, key.public_key(), before.certificate, now_ms, until), path_length=0)
    signed = None if cross is None or before is None else cross.sign(before.key, hashes.SHA256())
    return Authority(key, builder.sign(key, hashes.SHA256()), signed)


def make_server(authority: Authority, names: Sequence[str], now_ms: int) -> bytes:
    """A new key and certificate for a server called by these names, with what leads to an older authority (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    until = min(read_time(now_ms) + timedelta(days=SERVER_DAYS), issuer.not_valid_after_utc)
    builder = _builder(names[0], key.public_key(), issuer, now_ms, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(list_alternatives(names)), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    shown = [builder.sign(authority.key, hashes.SHA256()), *([authority.cross] if authority.cross else [])]
    return _pem_key(key) + "".join(map(write_pem, shown)).encode()


def _builder(
    name: str, public: ec.EllipticCurvePublicKey, issuer: x509.Certificate | None, now_ms: int, until: datetime
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    signer = public if issuer is None else issuer.public_key()
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=subject if issuer is None else issuer.subject)
    builder = builder.public_key(public).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(read_time(now_ms) - _BACKDATED).not_valid_after(until)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)  # type: ignore[arg-type]
    return builder.add_extension(signer_id, critical=False)


def _as_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def list_alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(each) for each in names]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def write_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def read_time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
