"""The house's one hard rule, read from the code itself: server → streaming → models.base.

Role: parses every module's imports (also those inside functions) and compares them with what each
part may name. It doesn't import anything, so a broken dependency can't hide a broken rule.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "diffusers", "transformers", "starlette", "uvicorn", "aiortc"}
OURS = {"models", "streaming", "server", "loadtests", "tests"}
STANDARD = set(sys.stdlib_module_names)


def modules(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "static" not in p.parts)


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a module imports; `from a import b` counts as `a` and as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is entered"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def of(path: Path, package: str) -> set[str]:
    """The modules of our `package` that `path` imports, two names deep."""
    found = {n for n in imports(path) if n.split(".")[0] == package}
    return {".".join(n.split(".")[:2]) for n in found}


def test_the_walk_sees_imports(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("def f():\n    from models.scenes import model\n    import torch.nn\n")
    assert "models.scenes" in set(imports(sample))
    assert tops(sample) == {"models", "torch"}


PLAIN = ("presets", "folders")
"""What the registry may know of models: where checkpoints are, and how they are called."""


@pytest.mark.parametrize("path", modules("streaming"), ids=str)
def test_streaming_knows_models_base_only(path: Path) -> None:
    assert not tops(path) & (HEAVY | {"server", "loadtests", "tests"})
    assert of(path, "models") <= {"models", "models.base"}
    assert not any(name == "models" for name in imports(path))


@pytest.mark.parametrize("path", modules("models"), ids=str)
def test_models_know_models_only(path: Path) -> None:
    assert not tops(path) & {"server", "streaming", "loadtests", "tests"}


def test_models_base_is_numpy_and_typing_only() -> None:
    assert tops(ROOT / "models/base.py") <= STANDARD | {"numpy"}


@pytest.mark.parametrize("name", ["protocol", "media", "errors", "client"])
def test_a_creative_tool_needs_no_models(name: str) -> None:
    path = ROOT / f"streaming/{name}.py"
    assert "models" not in tops(path)
    allowed = {"streaming.protocol", "streaming.media", "streaming.errors", "streaming.client"}
    assert {n for n in of(path, "streaming") if n != "streaming"} <= allowed | {
        n for n in of(path, "streaming") if n.startswith("streaming.client_")
    }


@pytest.mark.parametrize("path", modules("server"), ids=str)
def test_only_the_registry_names_concrete_models(path: Path) -> None:
    """And it names them as strings: importing the server must not import torch."""
    may = {f"models.{name}" for name in PLAIN} if path.name == "registry.py" else set()
    assert of(path, "models") <= {"models", "models.base"} | may
    assert not tops(path) & {"torch", "diffusers", "transformers", "loadtests", "tests"}


@pytest.mark.parametrize("name", PLAIN)
def test_what_the_registry_reads_is_plain(name: str) -> None:
    path = ROOT / f"models/{name}.py"
    assert not tops(path) & HEAVY
    assert of(path, "models") <= {"models", "models.base"}


SERVING = [*modules("server"), *modules("streaming"), *sorted((ROOT / "models").glob("*.py"))]


@pytest.mark.parametrize("path", SERVING, ids=str)
def test_nothing_that_serves_imports_the_painter_or_the_training(path: Path) -> None:
    assert not {n for n in imports(path) if n.startswith("models.scenes")}


def test_the_served_scenes_know_their_palette_and_words_and_nothing_of_their_making() -> None:
    for module, known in (("model", {"palette", "words"}), ("words", {"palette"})):
        path = ROOT / f"models/scenes/{module}.py"
        named = {n.split(".")[2] for n in imports(path) if n.startswith("models.scenes")}
        assert named == known


def test_the_client_runs_without_torch_and_models() -> None:
    """Really: with `models` and everything heavy made unimportable."""
    blocked = sorted(HEAVY | {"models", "server"})
    code = (
        "import sys\n"
        f"for name in {blocked!r}: sys.modules[name] = None\n"
        "import streaming.client, streaming.protocol\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_gateway_imports_neither_torch_nor_diffusers() -> None:
    code = (
        "import sys, server.app, server.cli\n"
        "loaded = {'torch', 'diffusers', 'transformers', 'cv2'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
