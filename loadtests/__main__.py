"""`python -m loadtests`: headless users, the naive peer, and the benchmark.

Role: argument parsing and progress. It does not know: how users, peers and figures work.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loadtests import report
from loadtests.figures import FIGURES, Figure, find
from loadtests.figures.plan import STAND_IN, Plan
from loadtests.metric import Metric
from loadtests.scenario import Scenario


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_users(commands.add_parser("users", help="headless users draw on a running server"))
    _add_naive(commands.add_parser("naive", help="serve the server that people write first"))
    _add_bench(commands.add_parser("bench", help="measure the figures of docs/benchmarks.md"))
    return parser


def _add_users(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/session", help="%(default)s")
    parser.add_argument("--clients", type=int, default=4, help="how many (%(default)s)")
    parser.add_argument("--rate", type=float, default=30.0, metavar="EDITS_PER_S",
                        help="of each (%(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (%(default)s)")
    parser.add_argument("--steps", type=int, help="the model's steps (its own default)")
    parser.add_argument("--slow", type=int, default=0, metavar="N",
                        help="so many of them read at --read-rate only (%(default)s)")  # fmt: skip
    parser.add_argument("--read-rate", type=float, default=900_000, metavar="BYTES_PER_S",
                        help="of the slow ones (%(default)s)")  # fmt: skip


def _add_naive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8001, help="%(default)s")
    parser.add_argument("--model", default="scenes", help="%(default)s")
    parser.add_argument("--model-option", action="append", default=[], metavar="NAME=VALUE")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(figure.name for figure in FIGURES)
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help=f"one figure or metric, may be repeated: {names}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="%(default)s")
    parser.add_argument("--quick", action="store_true", help="two short rounds with a fake "
                        "model; nothing is written but what --out names")  # fmt: skip
    parser.add_argument("--stand-in", action="store_true",
                        help="a fake model of about its cost instead of scenes")  # fmt: skip
    parser.add_argument("--out", type=Path, help="where bench.json goes (loadtests/results)")


def bench(arguments: argparse.Namespace) -> int:
    """Measure, print, write; the exit code says only whether everything could be measured."""
    try:
        chosen = find(arguments.only)
    except KeyError as error:
        print(f"no such figure: {error.args[0]}", file=sys.stderr)
        return 2
    plan = _plan(arguments)
    metrics, broken = asyncio.run(_measure(chosen, plan))
    official = not arguments.quick
    target = arguments.out or (report.JSON if official else None)
    order = [name for figure in FIGURES for name in figure.metrics]
    earlier = report.read(target) if target and official else {}
    made = report.merge(earlier, metrics, order, _note(arguments))
    print("\n" + report.table(made))
    if target:
        report.write(made, target, report.PAGE if official and not arguments.out else None)
        print(f"\nwritten: {target}")
    return 1 if broken else 0


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = Plan(rounds=arguments.rounds, say=lambda text: print(f"    {text}", flush=True))
    if arguments.stand_in or arguments.quick:
        plan = replace(plan, scenes=STAND_IN)
    return replace(plan, rounds=2, pace=0.2) if arguments.quick else plan


def _note(arguments: argparse.Namespace) -> str:
    notes = [f"{arguments.rounds} rounds"] if arguments.rounds != 5 else []
    return ", ".join(notes + ["a stand-in for scenes"] * bool(arguments.stand_in))


async def _measure(chosen: Sequence[Figure], plan: Plan) -> tuple[list[Metric], list[str]]:
    """Every figure, also after one that broke; which broke."""
    metrics: list[Metric] = []
    broken: list[str] = []
    for number, figure in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {figure.name}", flush=True)
        start = time.perf_counter()
        try:
            found = await figure.measure(plan)
        except (OSError, RuntimeError, ValueError, AssertionError, TimeoutError) as error:
            print(f"    could not be measured: {type(error).__name__}: {error}", flush=True)
            broken.append(figure.name)
            continue
        for each in found:
            verdict = report.VERDICTS[str(each.met)]
            print(f"    {each.name} = {each.value:.4g} {each.unit} ({verdict})", flush=True)
        print(f"    {time.perf_counter() - start:.0f} s", flush=True)
        metrics += found
    return metrics, broken


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = make_parser().parse_args(argv)
    if arguments.command == "bench":
        return bench(arguments)
    if arguments.command == "naive":
        from loadtests import naive

        naive.run(arguments.model, arguments.model_option, arguments.port)
        return 0
    scenario = Scenario(
        arguments.url, arguments.clients, arguments.rate, arguments.seconds,
        arguments.steps, arguments.slow, arguments.read_rate,
    )  # fmt: skip
    try:
        asyncio.run(scenario.run())
    except (OSError, RuntimeError, TimeoutError) as error:
        print(f"{arguments.url}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
