"""The command `riverrun`: `serve`, `models` and `pull`.

Role: argument parsing and exit codes. Wrong settings are one line on stderr and exit code 2.

Invariant: nothing heavy is imported before it is needed; `riverrun --help` needs the standard
library only.

It does not know: how anything is served.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from server.settings import Settings, SettingsError, add_serve_options, read_settings

USAGE_ERROR = 2
FAILED = 1


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the release; looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from server.version import own_version

        print(f"riverrun {own_version()}")
        sys.exit(0)


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; `command` is the chosen command's name."""
    parser = _Parser(
        prog="riverrun",
        description="A self-hosted real-time generation server: pictures that repaint as you draw.",
        epilog="`riverrun serve --help` tells all settings.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="start the server and its page",
        description="Start the server and its page. Every option can also be given as the "
        "environment variable in brackets (several values with commas).",
        allow_abbrev=False,
    )
    add_serve_options(serve)
    commands.add_parser("models", help="list the models that can be served")
    pull = commands.add_parser(
        "pull",
        help="fetch a model's weights, so that it can be served without a network",
        description="Fetch a model's weights into the hub's cache. Weights behind a licence need "
        "your own token in HF_TOKEN.",
    )
    pull.add_argument("name", metavar="NAME", help="a name (see `riverrun models`) or a hub id")
    return parser


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run the command line; return the exit code."""
    arguments = make_parser().parse_args(argv)
    try:
        if arguments.command == "models":
            return _models()
        if arguments.command == "pull":
            return _pull(arguments.name)
        return _serve(read_settings(arguments, environ))
    except SettingsError as error:
        print(f"riverrun: {error}", file=sys.stderr)
        return USAGE_ERROR


def _models() -> int:
    from server.registry import entries

    found = entries().values()
    name = max(len(entry.name) for entry in found)
    origin = max(len(entry.origin) for entry in found)
    for entry in found:
        told = entry.summary or entry.factory
        print(f"{entry.name:<{name}}  {entry.origin:<{origin}}  {told}")
    return 0


def _pull(name: str) -> int:
    from models.base import CannotLoad
    from server.registry import pull

    try:
        print(pull(name))
    except CannotLoad as error:
        print(f"riverrun: {error}", file=sys.stderr)
        return FAILED
    return 0


def _serve(settings: Settings) -> int:
    try:
        from server.run import serve
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"serving needs {error.name}, which isn't installed: pip install 'riverrun[server]'"
        ) from None
    return serve(settings)
