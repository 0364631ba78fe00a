"""The arithmetic of the figures, and what the report makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests import report
from loadtests.__main__ import main
from loadtests.figures import FIGURES, Figure, find
from loadtests.figures.plan import Plan
from loadtests.metric import Goal, Metric as OneMetric, interleave, metric, percentile, verdict
from loadtests.served import NotServing


def test_the_verdict_looks_at_every_round() -> None:
    at_least, at_most = Goal("≥", 0.8), Goal("≤", 0.8)
    assert metric("a", "ratio", [0.8, 0.9, 1.0], at_least).met is True
    assert metric("a", "ratio", [0.1, 0.79, 0.7], at_least).met is False
    assert metric("a", "ratio", [0.79, 0.9, 1.0], at_least).met == "straddles"
    assert metric("a", "ratio", [0.9, 0.81, 1.0], at_most).met is False
    assert metric("a", "ratio", [0.8, 0.1], at_most).met is True
    assert metric("a", "ratio", [0.8]).met is None


def test_a_goal_of_each_round_overrides_the_common_one() -> None:
    made = metric("a", "ms", [10.0, 30.0, 20.0], Goal("≤", 15.0), reached=[True, True, True])
    assert made.met is True
    assert (made.value, made.least, made.greatest) == (20.0, 10.0, 30.0)
    assert verdict([False, True]) == "straddles"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.25, 1), (0.5, 2), (0.51, 3), (0.95, 4), (1.0, 4)]
)
def test_percentiles_are_nearest_rank(share: float, expected: int) -> None:
    assert percentile([4, 1, 3, 2], share) == expected


def test_a_percentile_of_nothing_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


async def test_rounds_are_interleaved_and_take_turns_at_going_first() -> None:
    calls: list[str] = []

    async def first() -> str:
        calls.append("a")
        return "a"

    async def second() -> str:
        calls.append("b")
        return "b"

    pairs = await interleave(3, first, second, lambda text: None)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert pairs == [("a", "b")] * 3


def sample(name: str, value: float) -> OneMetric:
    return metric(name, "ratio", [value, value + 0.01], Goal("≥", 0.6), served=[1234.5678, 2.0])


def test_bench_json_has_the_shape_that_was_asked_for() -> None:
    made = report.merge({}, [sample("gateway_ratio", 0.7)], ["gateway_ratio"], "")
    entry = made["metrics"]["gateway_ratio"]
    assert {"value", "range", "unit", "goal", "met"} <= set(entry)
    assert entry["range"] == [0.7, 0.71]
    assert entry["goal"] == "≥ 0.6"
    assert entry["met"] is True
    assert entry["detail"]["served"] == [1235.0, 2.0]
    assert {"processor", "cores", "python"} <= set(made["machine"])
    json.dumps(made)


def test_a_figure_measured_alone_leaves_the_others_as_they_were() -> None:
    order = ["fairness", "gateway_ratio"]
    first = report.merge({}, [sample("gateway_ratio", 0.7), sample("fairness", 0.9)], order, "")
    second = report.merge(first, [sample("gateway_ratio", 0.5)], order, "2 rounds")
    assert list(second["metrics"]) == order
    assert second["metrics"]["fairness"] == first["metrics"]["fairness"]
    assert second["metrics"]["gateway_ratio"]["met"] is False
    assert second["metrics"]["gateway_ratio"]["measured"].endswith("2 rounds")


def test_only_the_results_section_of_the_page_is_written(tmp_path: Path) -> None:
    page, target = tmp_path / "page.md", tmp_path / "out" / "bench.json"
    page.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    made = report.merge({}, [sample("fairness", 0.9)], ["fairness"], "")
    report.write(made, target, page)
    text = page.read_text()
    assert text.startswith(f"# Title\n\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "| `fairness` | 0.905 | 0.9 – 0.91 | ≥ 0.6 | met |" in text
    assert "old" not in text
    assert report.read(target) == made


def test_every_figure_is_defined_on_the_page() -> None:
    page = report.PAGE.read_text()
    assert page.count(report.BEGIN) == page.count(report.END) == 1
    for name in (name for figure in FIGURES for name in figure.metrics):
        assert f"`{name}`" in page or f"`_{name.rsplit('_', 1)[1]}`" in page, name


def test_figures_are_found_by_their_metrics_too() -> None:
    assert [figure.name for figure in find(["page_alive_s", "fairness"])] == ["fairness", "start"]
    assert find([]) == list(FIGURES)


def test_an_unknown_figure_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "speed"]) == 2
    assert "no such figure: speed" in capsys.readouterr().err


def test_no_server_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "--url", "ws://127.0.0.1:9/v1/session"]) == 1
    assert capsys.readouterr().err.startswith("ws://127.0.0.1:9/v1/session: ")


def test_a_figure_that_cannot_be_measured_is_told_and_the_rest_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def broken(plan: Plan) -> list[OneMetric]:
        raise NotServing("it ended with 2")

    async def works(plan: Plan) -> list[OneMetric]:
        return [sample("fairness", 0.9)]

    chosen = [Figure("start", ("start_ratio",), broken), Figure("fairness", ("fairness",), works)]
    monkeypatch.setattr("loadtests.__main__.find", lambda names: chosen)
    assert main(["bench", "--quick", "--out", str(tmp_path / "b.json")]) == 1
    assert "could not be measured: NotServing: it ended with 2" in capsys.readouterr().out
    assert list(report.read(tmp_path / "b.json")["metrics"]) == ["fairness"]
