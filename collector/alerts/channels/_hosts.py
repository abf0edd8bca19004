"""Which hosts a person's own address may name: only those an administrator has named in the settings.

A name is looked up here, and the request goes to the address that was judged, so that no second look-up can lead
elsewhere. An address inside the office or on this machine must be named itself, alone or as a network, even where a
name that is named leads to it.
"""

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from collector.alerts.channels.base import PermanentError, Problem, TemporaryError

_Address = IPv4Address | IPv6Address


async def pin(url: str, named: Collection[str]) -> tuple[httpx.URL, str, str]:
    """The URL with its host as a judged address, the `Host` header and the name for TLS. Raises DeliveryError."""
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as problem:
        raise PermanentError(Problem.BAD_ADDRESS) from problem
    if target.scheme not in {"http", "https"} or not target.host or target.userinfo:
        raise PermanentError(Problem.BAD_ADDRESS)
    literal = _literal(target.host)
    if literal is None and target.host.lower() not in {each.lower() for each in named}:
        raise PermanentError(Problem.NOT_NAMED)
    addresses = await _resolve(target.host) if literal is None else [literal]
    allowed = [each for each in addresses if _may(each, named, by_name=literal is None)]
    if not allowed:
        raise PermanentError(Problem.NOT_NAMED)
    return target.copy_with(host=str(allowed[0])), target.netloc.decode(), target.host


def _may(address: _Address, named: Collection[str], *, by_name: bool) -> bool:
    """An address that is named, or a public one behind a name that is."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return _is_named(plain, named) or (by_name and plain.is_global and not plain.is_multicast)


def _is_named(address: _Address, named: Collection[str]) -> bool:
    for each in named:
        try:
            network = ip_network(each, strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return False


def _literal(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


async def _resolve(host: str) -> list[_Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise TemporaryError(Problem.UNREACHABLE, type(problem).__name__) from problem
    return [ip_address(str(where[0]).partition("%")[0]) for *_, where in found]
