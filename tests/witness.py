"""Somebody who draws along while bad things happen to others.

Role: a client on a thread of its own, so that a test may block, and with its own connection; it
draws, waits for the final picture, and draws again. `check` says whether that still works.

It does not know: what the bad thing was.
"""

from __future__ import annotations

import asyncio
import threading

from tests.pen import SECONDS, drawing


class Witness:
    """Draws from its start to `stop`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pictures = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Wait for two more final pictures: one may have been on its way before."""
        with self._changed:
            enough = self._pictures + 2
            self._changed.wait_for(lambda: self._failure or self._pictures >= enough, SECONDS)
            assert self._failure is None, f"the witness was hurt: {self._failure!r}"
            assert self._pictures >= enough, "the witness gets no pictures"

    def stop(self) -> None:
        """Put the pen down."""
        self._stopping.set()
        self._thread.join(SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._draw())
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    async def _draw(self) -> None:
        async with drawing(self._url, client="witness") as pen:
            seed = 0
            while not self._stopping.is_set():
                seed += 1
                answer = await pen.accepted(await pen.params(seed=seed))
                await pen.final(answer.revision)
                with self._changed:
                    self._pictures += 1
                    self._changed.notify_all()
