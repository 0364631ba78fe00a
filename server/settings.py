"""What the operator decides: read once from the command line and the environment, then frozen.

Role: one table of options makes the parser, the environment's names (`RIVERRUN_<OPTION>`), the
help text and the `Settings`. The command line wins over the environment, that over the default.

Invariants:
- A `Settings` is immutable and has been checked as a whole; nothing else reads the environment.
- A wrong setting is one clear line (`SettingsError`), never a traceback.

It does not know: starlette, torch, the models. It imports the standard library only.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
OptionValue = str | int | float | bool


class SettingsError(Exception):
    """A setting that can't be; the message is one line that says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of `riverrun serve`; the options' help says what each means. Times: seconds."""

    model: tuple[str, ...] = ("scenes",)
    model_option: tuple[str, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0
    engine: str = "auto"
    output_check: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    token: str = field(default="", repr=False)
    allow_anonymous: bool = False
    allow_origin: tuple[str, ...] = ()
    allow_host: tuple[str, ...] = ()
    max_sessions: int = 1000
    keep_seconds: float = 600.0
    history_mb: float = 8.0
    max_message_mb: float = 4.0
    hello_seconds: float = 10.0
    send_seconds: float = 10.0
    ping_seconds: float = 20.0
    drain_seconds: float = 5.0
    log_format: str = "text"
    log_level: str = "info"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def options_of(self, model: str) -> dict[str, OptionValue]:
        """The options of `model`: `name=value` is said to all, `model:name=value` to one."""
        found: dict[str, OptionValue] = {}
        for text in self.model_option:
            left, _, value = text.partition("=")
            owner, colon, name = left.rpartition(":")
            if not colon or owner == model:
                found[name if colon else left] = parse_value(value)
        return found


def parse_value(text: str) -> OptionValue:
    """A model option's value: a whole number, a number, true or false, else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def is_loopback(host: str) -> bool:
    """Whether every address of `host` is this machine's own."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(a[4][0]).partition("%")[0]).is_loopback for a in found)


# --- how a text becomes a value -----------------------------------------------------------------


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise SettingsError(f"must be a whole number, not {text!r}") from None
        if not low <= value <= high:
            raise SettingsError(f"must be from {low} to {high}, not {value}")
        return value

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise SettingsError(f"must be a number, not {text!r}") from None
        if not low <= value <= high:
            raise SettingsError(f"must be from {low:g} to {high:g}, not {text}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise SettingsError(f"must be one of {', '.join(choices)}, not {text!r}")
        return text

    return parse


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    raise SettingsError(f"must be true or false, not {text!r}")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise SettingsError(f"must be an http:// or https:// address, not {text!r}")
    return text.rstrip("/")


def _origin(text: str) -> str:
    if text != "*" and urlsplit(_url(text)).path:
        raise SettingsError(f"is an origin such as https://example.org, without a path: {text!r}")
    return text.rstrip("/").lower()


def _assignment(text: str) -> str:
    if not text.partition("=")[0] or "=" not in text:
        raise SettingsError(f"must be NAME=VALUE or MODEL:NAME=VALUE, not {text!r}")
    return text


def _factory(text: str) -> str:
    module, colon, name = text.partition(":")
    if text and not (colon and module and name):
        raise SettingsError(f"must be MODULE:FUNCTION, not {text!r}")
    return text


# --- the table ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    many: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "RIVERRUN_" + self.name.upper()


_GROUPS: dict[str, tuple[_Option, ...]] = {
    "model": (
        _Option("model", str, "NAME", "what to serve: a name (see `riverrun "
                "models`), or a diffusers checkpoint's path or hub id; the first of several is the "
                "default", many=True),
        _Option("model_option", _assignment, "NAME=VALUE", "an option of the model's own, e.g. "
                "step_ms=3; MODEL:NAME=VALUE for one of several", many=True),
        _Option("device", _one_of("auto", "cuda", "mps", "cpu"), "NAME", "auto, cuda, mps or cpu; "
                "auto takes the best that is there"),
        _Option("dtype", _one_of("auto", "bf16", "fp16", "fp32"), "NAME",
                "auto, bf16, fp16 or fp32; auto takes what the device does best"),
        _Option("threads", _whole(0, 1024), "N", "CPU threads of the model; 0 lets torch decide"),
        _Option("engine", _one_of("auto", "process", "thread"), "NAME", "where the models run: in "
                "a process of their own (auto, where the system can), or on a thread of this one"),
        _Option("output_check", _factory, "MODULE:FUNCTION", "what looks at every picture before "
                "it is shown and may withhold it (docs/models.md)"),
    ),
    "address": (
        _Option("host", str, "HOST", "where to listen; anything but this machine itself needs "
                "--token or --allow-anonymous"),
        _Option("port", _whole(0, 65535), "PORT", "0 picks a free one"),
        _Option("public_url", _url, "URL", "the address that clients see, where a proxy stands "
                "before the server, e.g. https://draw.example.org"),
    ),
    "access": (
        _Option("token", str, "SECRET", "clients must send it (Authorization: Bearer, or in hello);"
                " better given as RIVERRUN_TOKEN"),
        _Option("allow_anonymous", _flag, "", "serve everybody who can reach the address"),
        _Option("allow_origin", _origin, "ORIGIN", "also serve pages of this origin, e.g. "
                "http://localhost:5173, or *", many=True),
        _Option("allow_host", str.lower, "HOST", "also answer to this name in the Host header, or "
                "*", many=True),
    ),
    "limits": (
        _Option("max_sessions", _whole(1, 1_000_000), "N", "how many sessions may exist at once"),
        _Option("keep_seconds", _number(0, 1e7), "S", "how long a session outlives its connection"),
        _Option("history_mb", _number(0.1, 1e4), "MB", "the undo history of one session"),
        _Option("max_message_mb", _number(0.01, 64), "MB", "the largest message or request body"),
        _Option("hello_seconds", _number(0.05, 3600), "S", "a client that says nothing is let go"),
        _Option("send_seconds", _number(0.05, 3600), "S", "a client that doesn't read is let go"),
        _Option("ping_seconds", _number(0.05, 3600), "S", "between pings, and how long an answer "
                "may take"),
        _Option("drain_seconds", _number(0, 3600), "S", "after SIGTERM: how long clients have to "
                "leave"),
    ),
    "logs": (
        _Option("log_format", _one_of("text", "json"), "NAME", "text or json, one line an event"),
        _Option("log_level", _one_of("debug", "info", "warning", "error"), "NAME",
                "debug, info, warning or error"),
    ),
}  # fmt: skip

_EXAMPLES = """examples:
  riverrun serve                                   the built-in model on http://127.0.0.1:8000
  riverrun serve --model sd-turbo                  a large one, fetched once (see riverrun models)
  riverrun serve --port 0 --model fake             no weights, a free port: to try a client
  RIVERRUN_TOKEN=... riverrun serve --host 0.0.0.0 for others too, who must know the token
  riverrun serve --public-url https://draw.example.org --allow-host draw.example.org
"""


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Put every option into `parser`, grouped, with its default and its environment variable."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    defaults = Settings()
    for title, options in _GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            text = f"{option.help} [{option.variable}{_shown(getattr(defaults, option.name))}]"
            text = text.replace("%", "%%")
            if option.parse is _flag:
                group.add_argument(option.flag, action="store_const", const="true", help=text)
            else:
                action = "append" if option.many else "store"
                group.add_argument(option.flag, metavar=option.metavar, action=action, help=text)


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        default = ", ".join(default)
    return "" if default in ("", False) else f"; default {default}"


def read_settings(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The checked settings of parsed `arguments` and `environ`; raises `SettingsError`."""
    values: dict[str, Any] = {}
    for option in (o for group in _GROUPS.values() for o in group):
        given: str | Sequence[str] | None = getattr(arguments, option.name, None)
        source = option.flag
        if given is None and option.variable in environ:
            given, source = environ[option.variable], option.variable
            given = [part.strip() for part in given.split(",") if part.strip()] if option.many \
                else given  # fmt: skip
        if given is not None:
            values[option.name] = _parsed(option, given, source)
    assert set(values) <= {f.name for f in fields(Settings)}
    return _checked(Settings(**values))


def _parsed(option: _Option, given: str | Sequence[str], source: str) -> Any:
    try:
        if isinstance(given, str):
            return option.parse(given)
        return tuple(option.parse(one) for one in given)
    except SettingsError as error:
        raise SettingsError(f"{source} {error}") from None


def _checked(settings: Settings) -> Settings:
    if not settings.model:
        raise SettingsError("--model needs at least one name")
    if len(set(settings.model)) < len(settings.model):
        raise SettingsError("--model names the same model twice")
    if settings.token and settings.allow_anonymous:
        raise SettingsError("--token and --allow-anonymous exclude each other")
    if settings.token and (len(settings.token) > 256 or not settings.token.isprintable()):
        raise SettingsError("--token must be printable and at most 256 characters long")
    if not (settings.loopback or settings.token or settings.allow_anonymous):
        raise SettingsError(
            f"--host {settings.host} can be reached from other machines: "
            "give --token, or --allow-anonymous to serve everybody"
        )
    return settings
