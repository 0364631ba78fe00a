"""The report: a table for people, `bench.json` for programs, and the results in docs/benchmarks.md.

Role: writes what was measured and on what machine. Figures that weren't measured this time keep
what an earlier run wrote, so that one figure can be repeated alone; each says when it was measured.

Invariants: nothing of the page outside its markers is touched; the machine is described by its
hardware and versions, never by its name.

It does not know: how anything was measured.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from loadtests.metric import Metric, short

ROOT = Path(__file__).parent.parent
JSON = ROOT / "loadtests" / "results" / "bench.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- results: written by `python -m loadtests bench` -->"
END = "<!-- /results -->"
VERDICTS = {"True": "met", "False": "missed", "straddles": "straddles", "None": "–"}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "uvicorn", "websockets")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gib() -> int:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def read(path: Path) -> dict[str, Any]:
    """An earlier report, empty where there is none."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def merge(
    earlier: Mapping[str, Any], metrics: Sequence[Metric], order: Sequence[str], note: str
) -> dict[str, Any]:
    """The report with these metrics in it, in the given order. `note` says how they were measured
    where that isn't the full bench."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    entries = dict(earlier.get("metrics", {}))
    for each in metrics:
        entries[each.name] = {**each.as_json(), "measured": when + (f", {note}" if note else "")}
    known = [name for name in order if name in entries]
    return {"machine": machine(), "metrics": {name: entries[name] for name in known}}


def rows(report: Mapping[str, Any]) -> list[list[str]]:
    """The table's cells, a line each."""
    return [
        [
            name,
            f"{short(entry['value'])} {_unit(entry)}".strip(),
            " – ".join(short(each) for each in entry["range"]),
            entry["goal"] or "–",
            VERDICTS[str(entry["met"])],
        ]
        for name, entry in report["metrics"].items()
    ]


def _unit(entry: Mapping[str, Any]) -> str:
    return "" if entry["unit"] == "ratio" else str(entry["unit"])


HEAD = ["figure", "value", "range", "goal", "verdict"]


def table(report: Mapping[str, Any]) -> str:
    """For a terminal."""
    cells = [HEAD, *rows(report)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
    return "\n".join(lines)


def section(report: Mapping[str, Any]) -> str:
    """The results section in Markdown."""
    about = report["machine"]
    lines = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"{about['system']}, Python {about['python']}, torch {about['torch']}, "
        f"uvicorn {about['uvicorn']}, websockets {about['websockets']}.",
        "",
        _line([*HEAD, "measured"]),
        _line(["---"] * (len(HEAD) + 1)),
    ]
    entries = report["metrics"].values()
    for cells, entry in zip(rows(report), entries, strict=True):
        lines.append(_line([f"`{cells[0]}`", *cells[1:], entry["measured"]]))
    parts = [part for name, entry in report["metrics"].items() for part in _parts(name, entry)]
    return "\n".join([*lines, "", "What the figures were made of, round by round:", "", *parts])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _parts(name: str, entry: Mapping[str, Any]) -> list[str]:
    told = [f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in entry["detail"].items()]
    return [f"- `{name}` – " + "; ".join(told)] if told else []


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each:.0%}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value)
    return short(value) if isinstance(value, int | float) else str(value)


def write(report: Mapping[str, Any], path: Path, page: Path | None) -> None:
    """`bench.json`, and the page's section where a page is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if page is not None:
        before, _, rest = page.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{section(report)}\n{END}{after}")
