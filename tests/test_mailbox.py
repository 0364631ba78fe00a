"""The mailbox: bounded by sessions, ordered, and a reader that waits at no cost."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from models.base import Request
from streaming.mailbox import Mailbox
from streaming.messages import Forget, Stop, Submit, ToEngine, Want

PATIENCE = 10.0


def submit(session: str, revision: int = 1) -> Submit:
    return Submit(Request(session, "m", revision, revision, {}), 0.0)


def test_what_is_posted_comes_out_in_order_and_once() -> None:
    mailbox = Mailbox()
    messages: list[ToEngine] = [Want("a", 1), submit("a"), submit("b"), Forget("c")]
    for message in messages:
        mailbox.post(message)
    assert mailbox.receive(block=True) == messages
    assert mailbox.receive(block=False) == []


def test_a_flood_keeps_one_request_and_one_want_of_each_session() -> None:
    mailbox = Mailbox()
    newest: list[ToEngine] = []
    for revision in range(1000):
        newest = [submit("a", revision), Want("a", revision % 2), submit("b", revision)]
        for message in newest:
            mailbox.post(message)
    assert mailbox.receive(block=False) == newest


def test_a_newer_request_takes_its_own_place_in_the_order() -> None:
    mailbox = Mailbox()
    mailbox.post(submit("a", 1))
    mailbox.post(submit("b", 1))
    newer = submit("a", 2)
    mailbox.post(newer)
    assert [m.request.session for m in mailbox.receive(block=False) if isinstance(m, Submit)] == [
        "b",
        "a",
    ]


def test_forget_takes_back_what_its_session_asked_and_no_more() -> None:
    mailbox = Mailbox()
    other = submit("b")
    for message in (submit("a"), Want("a", 1), other, Forget("a")):
        mailbox.post(message)
    assert mailbox.receive(block=False) == [other, Forget("a")]


def test_stop_is_known_before_it_is_read() -> None:
    mailbox = Mailbox()
    assert not mailbox.stopping
    mailbox.post(Stop())
    assert mailbox.stopping
    mailbox.receive(block=True)
    assert mailbox.stopping


@pytest.mark.alone
def test_a_blocked_reader_uses_no_cpu_and_wakes_at_once() -> None:
    mailbox, told = Mailbox(), queue.Queue[tuple[list[ToEngine], float, float]]()
    waiting = threading.Event()

    def read() -> None:
        before = time.thread_time()
        waiting.set()
        messages = mailbox.receive(block=True)
        told.put((messages, time.thread_time() - before, time.perf_counter()))

    threading.Thread(target=read, daemon=True).start()
    assert waiting.wait(PATIENCE)
    threading.Event().wait(0.2)  # the stretch that is measured
    posted = time.perf_counter()
    mailbox.post(Stop())
    messages, used, woken = told.get(timeout=PATIENCE)
    assert messages == [Stop()]
    assert used < 0.02
    assert woken - posted < 0.1


def test_nothing_is_lost_between_threads() -> None:
    mailbox, read = Mailbox(), list[ToEngine]()

    def post(first: int) -> None:
        for number in range(first, first + 500):
            mailbox.post(Want(f"s{number}", 1))

    writers = [threading.Thread(target=post, args=(first,)) for first in (0, 500, 1000, 1500)]
    for writer in writers:
        writer.start()
    while len(read) < 2000:
        read += mailbox.receive(block=True)
    assert {m.session for m in read if isinstance(m, Want)} == {f"s{n}" for n in range(2000)}
