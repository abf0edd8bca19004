"""A question that is never answered costs its time once, and does not pile up."""

import threading

from agent.probes._patience import Patience


def test_an_answer_in_time_is_given_and_none_is_waited_for_once() -> None:
    patience, released, asked = Patience(limit_s=0.05), threading.Event(), list[int]()

    def hang() -> bool:
        asked.append(1)
        return released.wait(30)

    assert [patience.ask(hang) for _ in range(5)] == [None] * 5
    assert len(asked) == 1
    released.set()
    assert patience._waiting is not None
    patience._waiting.join(30)
    assert Patience(limit_s=30).ask(lambda: "here") == "here"
    patience.limit_s = 30
    assert patience.ask(hang) is True
