"""Figures as evaluation tells them: a value, what is asked of it, and a fault that makes it miss.

Role: the form of a figure and the table in docs/scenes.md. Invariant: a figure that asks something
carries a planted fault's value too, measured in the same run, and the table says whether the fault
was seen; text outside the page's markers is kept. Knows nothing of what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = "| figure | value | asked | met | of what | with a planted fault |"


@dataclass(frozen=True)
class Fault:
    """What was done to the pictures on purpose, and the figure with it."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One row. `form`: how its numbers are written; `asked`: the least, or the most, allowed."""

    name: str
    value: float
    form: str = "{:.2f}"
    asked: float | None = None
    at_most: bool = False
    note: str = ""
    fault: Fault | None = None

    def allows(self, value: float) -> bool:
        """Is `value` as asked? Anything is where nothing is asked; no number at all never is."""
        if self.asked is None:
            return True
        return value <= self.asked if self.at_most else value >= self.asked

    @property
    def met(self) -> bool:
        return self.allows(self.value)

    @property
    def watchful(self) -> bool:
        """The planted fault misses what is asked, or nothing is asked."""
        return self.asked is None or (self.fault is not None and not self.allows(self.fault.value))

    def cells(self) -> list[str]:
        asked = (
            "" if self.asked is None else f"{'≤' if self.at_most else '≥'} {self._told(self.asked)}"
        )
        met = "" if self.asked is None else "yes" if self.met else "**no**"
        fault = f"{self.fault.name}: {self._told(self.fault.value)}" if self.fault else ""
        if not self.watchful:
            fault += " **(not seen)**"
        return [self.name, self._told(self.value), asked, met, self.note, fault]

    def _told(self, value: float) -> str:
        return self.form.format(value)


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [HEAD, "|---" * 6 + "|"]
    rows += [f"| {' | '.join(figure.cells())} |" for figure in figures]
    return "\n".join(rows)


def write_figures(page: Path, figures: Sequence[Figure], said: str = "") -> None:
    """Replace what is between the markers of a Markdown page by the table and a line under it."""
    text = page.read_text() if page.exists() else f"# scenes\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    inside = table(figures) + (f"\n\n{said}" if said else "")
    page.write_text(f"{head}{BEGIN}\n{inside}\n{END}{tail}")
