"""Short messages: parts in UCS-2, what a gateway is asked and answers, what a day may cost."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from collector.alerts.channels import sms
from collector.alerts.channels.base import Budget, DeliveryError, PermanentError, Problem, Receipt, TemporaryError
from collector.keys import Keys, SmsGateway
from collector.people.queries import Person, Role
from tests.collector.alerts.gateways import Gateway, Reply, gateway, said
from tests.collector.alerts.letters import ACK, LINK, SUBJECT, hand_over, letter

OURS = SmsGateway(url="http://127.0.0.1:1/send", token=SecretStr("geheim"))
ZHANG = Person(510802, 2, "张三", None, "+86 138-0000-1111", "", "", Role.BACKBONE, None, None, "zh")


def keys(server: Gateway) -> Keys:
    return Keys(sms=OURS.model_copy(update={"url": f"{server.url}/send"}))


def test_a_gateway_is_asked_in_json_with_the_same_key_at_every_try() -> None:
    with gateway(said(code=0, id="gw-9", delivered=True)) as server:
        outcomes = [hand_over(sms.CHANNEL, keys(server), "13800001111", tries=tries) for tries in (1, 2)]
    assert outcomes == [Receipt(delivered=True, reference="gw-9")] * 2
    first, second = server.taken
    assert (first.method, first.path) == ("POST", "/send")
    assert first.headers["authorization"] == "Bearer geheim"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "510802-7"
    text = f"【远教】{SUBJECT} {ACK}"
    assert first.json == {"id": "510802-7", "to": "13800001111", "text": text, "parts": 1}


@pytest.mark.parametrize(("length", "parts"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)])
def test_parts_are_counted_as_they_are_billed(length: int, parts: int) -> None:
    assert sms.count_parts("满" * length) == parts


def test_what_lies_beyond_the_first_plane_counts_twice() -> None:
    assert sms.measure("𠮷😀a") == 5
    assert sms.count_parts("😀" * 36) == 2


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_long_message_is_cut_to_its_parts_and_keeps_its_link(most: int) -> None:
    text = sms.write(OURS.model_copy(update={"most_parts": most}), letter("1", subject="很长的现象😀" * 60))
    assert sms.count_parts(text) == most
    assert text.startswith("【远教】")
    assert text.endswith(f"… {ACK}")


def test_without_an_acknowledge_link_the_ticket_is_named() -> None:
    assert sms.write(OURS, letter("1", data={"acknowledge": "", "link": LINK})).endswith(f" {LINK}")


@pytest.mark.parametrize(
    ("phone", "address"),
    [("13800001111", "13800001111"), ("+86 138-0000-1111", "13800001111"), ("0839-3222222", ""), ("", "")],
)
def test_only_a_mobile_number_is_an_address(phone: str, address: str) -> None:
    assert sms.CHANNEL.address(replace(ZHANG, phone=phone), "") == address
    assert sms.CHANNEL.address(ZHANG, phone) == (address if phone else "13800001111")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (said(code=4, msg="no money"), PermanentError(Problem.REFUSED, 4)),
        (said(ok=True), TemporaryError(Problem.GARBAGE)),
        (Reply(500), TemporaryError(Problem.SERVER_FAILED, 500)),
        (Reply(429, headers={"retry-after": "120"}), TemporaryError(Problem.BUSY, 429, wait_s=120)),
        (Reply(401), PermanentError(Problem.BAD_KEY, 401)),
    ],
)
def test_a_gateways_answer_decides(reply: Reply, outcome: DeliveryError) -> None:
    with gateway(reply) as server:
        problem = hand_over(sms.CHANNEL, keys(server), "13800001111")
    assert isinstance(problem, DeliveryError)
    assert (type(problem), str(problem), problem.wait_s) == (type(outcome), str(outcome), outcome.wait_s)


def test_a_day_costs_no_more_than_the_office_pays_for() -> None:
    known = Keys(sms=OURS)
    assert sms.CHANNEL.bill(known) == Budget(most=200, every_ms=432_000)
    assert sms.CHANNEL.cost(known, letter("1")) == 1
    assert sms.CHANNEL.cost(known, letter("1", subject="长" * 100)) == 3
    assert sms.CHANNEL.bill(Keys()) is None
    assert sms.CHANNEL.open(Keys()) is None
