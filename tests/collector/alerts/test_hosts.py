"""Where a webhook of a person's own may lead: nowhere an administrator has not named."""

import asyncio
import socket
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from collector.alerts.channels import _hosts
from collector.alerts.channels._http import LONGEST_WAIT_S, fit, retry_after
from collector.alerts.channels.base import PermanentError, Problem
from tests.collector.alerts.letters import NOW_MS


def pin(url: str, *named: str) -> str:
    """The judged address, or why there is none."""
    try:
        return str(asyncio.run(_hosts.pin(url, named))[0].host)
    except PermanentError as problem:
        return str(problem)


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A stand-in for the names of the world, which a test must not ask."""
    known: dict[str, list[str]] = {}

    async def look_up(_loop: object, host: str, _port: object, **_options: object) -> list[tuple[object, ...]]:
        if host not in known:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.1.2.3/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://8.8.8.8/",
        "http://localhost/",
        "http://2130706433/",
        "http://hook.example.cn.evil.example/",
    ],
)
def test_what_is_not_named_is_refused(url: str, leads: dict[str, list[str]]) -> None:
    leads |= {"localhost": ["127.0.0.1"], "2130706433": ["127.0.0.1"], "hook.example.cn.evil.example": ["1.1.1.1"]}
    assert pin(url, "hook.example.cn", "203.0.113.9") == Problem.NOT_NAMED


def test_a_named_host_on_a_public_address_is_reached_at_that_address(leads: dict[str, list[str]]) -> None:
    leads["hook.example.cn"] = ["1.2.3.4"]
    assert pin("https://Hook.Example.cn/in?x=1", "hook.example.cn") == "1.2.3.4"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.8"])
def test_a_named_host_that_leads_inside_is_refused(address: str, leads: dict[str, list[str]]) -> None:
    leads["hook.example.cn"] = [address]
    assert pin("http://hook.example.cn/", "hook.example.cn") == Problem.NOT_NAMED


def test_an_address_inside_that_is_named_is_reached(leads: dict[str, list[str]]) -> None:
    leads["oa.lizhou"] = ["10.20.0.8"]
    assert pin("http://oa.lizhou/", "oa.lizhou", "10.20.0.0/16") == "10.20.0.8"
    assert pin("http://10.20.0.8/", "10.20.0.0/16") == "10.20.0.8"
    assert pin("http://oa.lizhou/", "10.20.0.0/16") == Problem.NOT_NAMED


@pytest.mark.parametrize("url", ["", "zhang", "ftp://hook.example.cn/", "http://", "http://a:b@hook.example.cn/"])
def test_what_is_no_web_address_is_given_up(url: str) -> None:
    assert pin(url, "hook.example.cn") == Problem.BAD_ADDRESS


def test_retry_after_is_read_in_both_forms_and_has_an_end() -> None:
    later = format_datetime(datetime.fromtimestamp(NOW_MS / 1000 + 90, UTC), usegmt=True)
    assert retry_after(later, NOW_MS) == 90
    assert [retry_after(each, NOW_MS) for each in ("30", "0", "", "soon", "-5", "1e3", "²")] == [30, 0, 0, 0, 0, 0, 0]
    assert retry_after("999999999", NOW_MS) == LONGEST_WAIT_S
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT", NOW_MS) == 0


def test_a_text_of_nothing_but_a_link_is_cut_all_the_same() -> None:
    assert len(fit("http://" + "x" * 500, 100).encode()) <= 100
    assert fit("短", 100) == "短"
