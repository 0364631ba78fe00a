"""The command as a person types it: help, models, and exit codes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from server.cli import main
from server.registry import BUILT_IN, entries, find
from server.settings import SettingsError
from tests.serving import COMMAND, SECONDS, clean_environ, serving


def riverrun(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=cwd,
        env=clean_environ(),
    )


def test_help_names_every_option_with_its_variable_and_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for text in ("--model NAME", "RIVERRUN_PORT; default 8000", "examples:", "--allow-anonymous"):
        assert text in told


def test_models_lists_the_built_in_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][: len(BUILT_IN)] == [e.name for e in BUILT_IN]
    assert all("built in" in line for line in lines[: len(BUILT_IN)])


def test_models_lists_what_can_be_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [each for each in lines if each.startswith("sd-turbo")]
    for text in ("stabilityai/sd-turbo", "1 to 4 steps", "2.6 GB", "Stability AI Community"):
        assert text in line
    (line,) = [each for each in lines if each.startswith("klein")]
    for text in ("black-forest-labs/FLUX.2-klein-4B", "1 to 8 steps", "16 GB", "Apache-2.0"):
        assert text in line


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("fake", 0, "fake is built in: there is nothing to fetch"),
        ("somebody/none", 1, "riverrun: somebody/none isn't a folder here nor in the hub's cache"),
        ("none", 2, "riverrun: --model none: no such model; there are scenes"),
    ],
)
def test_pull_says_what_is_there_or_why_not(name: str, code: int, told: str) -> None:
    done = subprocess.run(
        [*COMMAND, "pull", name], capture_output=True, text=True, timeout=SECONDS,
        env={**clean_environ(), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == code
    assert (done.stdout + done.stderr).startswith(told)
    assert len((done.stdout + done.stderr).splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("serve --port eight", "riverrun: --port must be a whole number, not 'eight'"),
        ("serve --host 0.0.0.0", "riverrun: --host 0.0.0.0 can be reached from other machines"),
        ("serve --model nope --port 0", "riverrun: --model nope: no such model; there are scenes"),
        ("serve --model a/Tiny --model b/tiny --port 0", "riverrun: --model: two are called tiny"),
        ("serve --wrong", "riverrun: unrecognized arguments: --wrong"),
        ("", "riverrun: the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: str, told: str) -> None:
    done = riverrun(*arguments.split())
    assert done.returncode == 2
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with serving(ready=False) as served:
        done = riverrun("serve", "--model", "fake", "--port", str(served.port))
    assert done.returncode == 2
    assert f"--port {served.port}: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_works_from_any_directory(tmp_path: Path) -> None:
    """As installed: nothing tells it where the checkout is."""
    installed = str(Path(sys.executable).with_name("riverrun"))
    environ = {k: v for k, v in clean_environ().items() if k != "PYTHONPATH"}
    subprocess.run([installed, "models"], cwd=tmp_path, env=environ, check=True)
    command = [installed, "serve", "--model", "fake", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        line = next(line for line in server.stdout if "http://" in line)
        address = next(word for word in line.split() if word.startswith("http://"))
        assert "<html" in httpx.get(address, timeout=SECONDS).text
        server.terminate()
    assert server.returncode == 0


def test_the_client_alone_says_what_serving_needs() -> None:
    code = (
        "import sys, server.cli\n"
        "sys.modules['uvicorn'] = None\n"
        "sys.exit(server.cli.main(['serve', '--model', 'fake', '--port', '0']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environ(), timeout=SECONDS,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "riverrun: serving needs uvicorn, which isn't installed: pip install 'riverrun[server]'"
    ]


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"riverrun {version('riverrun')}\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("foo=1", "fake: no such option: foo"),
        ("width=100", "multiples of 16"),
    ],
)
def test_a_model_that_cannot_load_says_why_in_one_line(given: str, told: str) -> None:
    with serving("--model-option", given, ready=False) as served:
        served.wait_log("engine broken")
        body = served.get("/readyz").json()
        answer = served.post("/v1/generate", json={"prompt": "a"})
    assert told in body["message"]
    assert (answer.status_code, answer.json()["retryable"]) == (503, False)
    assert told in answer.json()["message"]
    assert not [line for line in served.lines if "Traceback" in line]


def test_help_needs_the_standard_library_only() -> None:
    code = (
        "import sys, server.cli\n"
        "server.cli.make_parser().format_help()\n"
        "heavy = {'starlette', 'uvicorn', 'numpy', 'torch', 'prometheus_client'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=clean_environ(), timeout=SECONDS)


def test_installed_models_are_found_and_cannot_replace_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "guests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guests\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[riverrun.models]\nguest = guests.model:build\nfake = guests.model:build\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = entries()
    assert found["guest"].factory == "guests.model:build"
    assert found["guest"].origin == "guests"
    assert found["fake"].factory == "models.fake:build"
    assert find("guest") == found["guest"]
    with pytest.raises(
        SettingsError,
        match=r"there are scenes, fake, sd-turbo, .*sana-sprint, guest, and any diffusers",
    ):
        find("stranger")
