"""Settings: every option by command line and by environment, and one line for each mistake."""

from __future__ import annotations

import dataclasses

import pytest

from server.cli import make_parser
from server.settings import Settings, SettingsError, is_loopback, parse_value, read_settings


def read(*arguments: str, **environ: str) -> Settings:
    return read_settings(make_parser().parse_args(["serve", *arguments]), environ)


def test_nothing_said_is_the_built_in_model_on_this_machine_alone() -> None:
    settings = read()
    assert settings == Settings()
    assert (settings.model, settings.host, settings.port) == (("scenes",), "127.0.0.1", 8000)
    assert settings.loopback


GIVEN = [
    ("--model", "fake", "model", ("fake",)),
    ("--model-option", "step_ms=3", "model_option", ("step_ms=3",)),
    ("--device", "cpu", "device", "cpu"),
    ("--dtype", "fp16", "dtype", "fp16"),
    ("--threads", "2", "threads", 2),
    ("--engine", "thread", "engine", "thread"),
    ("--output-check", "mine.safety:build", "output_check", "mine.safety:build"),
    ("--host", "::1", "host", "::1"),
    ("--port", "0", "port", 0),
    ("--public-url", "https://draw.example.org/", "public_url", "https://draw.example.org"),
    ("--token", "s3cret", "token", "s3cret"),
    ("--allow-origin", "http://localhost:5173", "allow_origin", ("http://localhost:5173",)),
    ("--allow-host", "Box.local", "allow_host", ("box.local",)),
    ("--max-sessions", "7", "max_sessions", 7),
    ("--keep-seconds", "1.5", "keep_seconds", 1.5),
    ("--history-mb", "2", "history_mb", 2.0),
    ("--max-message-mb", "0.5", "max_message_mb", 0.5),
    ("--hello-seconds", "0.5", "hello_seconds", 0.5),
    ("--send-seconds", "0.5", "send_seconds", 0.5),
    ("--ping-seconds", "0.5", "ping_seconds", 0.5),
    ("--drain-seconds", "0", "drain_seconds", 0.0),
    ("--log-format", "json", "log_format", "json"),
    ("--log-level", "debug", "log_level", "debug"),
]


@pytest.mark.parametrize(("flag", "text", "name", "value"), GIVEN)
def test_every_option_is_also_an_environment_variable(
    flag: str, text: str, name: str, value: object
) -> None:
    variable = "RIVERRUN_" + name.upper()
    assert getattr(read(flag, text), name) == value
    assert getattr(read(**{variable: text}), name) == value


def test_the_list_above_is_complete() -> None:
    tested = {name for _, _, name, _ in GIVEN} | {"allow_anonymous"}
    assert tested == {field.name for field in dataclasses.fields(Settings)}


def test_the_command_line_wins() -> None:
    assert read("--port", "1", RIVERRUN_PORT="2").port == 1


def test_repeatable_options_add_up_and_use_commas_in_the_environment() -> None:
    assert read("--model", "a", "--model", "b").model == ("a", "b")
    assert read(RIVERRUN_MODEL="a, b").model == ("a", "b")


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_a_flag_in_the_environment(text: str) -> None:
    assert read(RIVERRUN_ALLOW_ANONYMOUS=text).allow_anonymous
    assert not read(RIVERRUN_ALLOW_ANONYMOUS="0").allow_anonymous


def test_model_options_have_types_and_may_name_their_model() -> None:
    settings = read("--model-option", "step_ms=3", "--model-option", "a:width=512")
    assert settings.options_of("a") == {"step_ms": 3, "width": 512}
    assert settings.options_of("b") == {"step_ms": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("False", False), ("a=b", "a=b"), ("", "")],
)
def test_model_option_values(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--port 70000", "--port must be from 0 to 65535"),
        ("--port x", "--port must be a whole number"),
        ("--keep-seconds nan", "--keep-seconds must be from"),
        ("--device tpu", "--device must be one of auto, cuda, mps, cpu"),
        ("--public-url draw.example.org", "--public-url must be an http:// or https://"),
        ("--allow-origin https://a.example/path", "--allow-origin is an origin"),
        ("--model-option step_ms", "--model-option must be NAME=VALUE"),
        ("--model a --model a", "same model twice"),
        ("--token x --allow-anonymous", "exclude each other"),
        ("--host 0.0.0.0", "give --token, or --allow-anonymous"),
        ("--host ::", "give --token, or --allow-anonymous"),
        ("--host 192.168.1.5", "give --token, or --allow-anonymous"),
        ("--host no-such-host.invalid", "give --token, or --allow-anonymous"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(arguments: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(*arguments.split())
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"^RIVERRUN_PORT must be a whole number"):
        read(RIVERRUN_PORT="eight")


@pytest.mark.parametrize("arguments", ["--token x", "--allow-anonymous"])
def test_other_machines_are_let_in_when_the_operator_says_so(arguments: str) -> None:
    assert not read("--host", "0.0.0.0", *arguments.split()).loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "no-such-host.invalid"])
def test_hosts_that_others_can_reach(host: str) -> None:
    assert not is_loopback(host)


def test_the_token_is_in_no_representation() -> None:
    assert "s3cret" not in repr(read("--token", "s3cret"))
