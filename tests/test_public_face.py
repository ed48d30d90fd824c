"""The names that users and upstream's documentation rely on."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flet import Page as FletPage
from flet.messaging.connection import Connection
from flet.messaging.session import Session as FletSession
from flet.pubsub.pubsub_hub import PubSubHub

import flet_anyio
from flet_anyio import FletApp
from flet_anyio.pubsub import Hub
from flet_anyio.session import Session
from flet_anyio.session.page import Page

SOURCE = Path(flet_anyio.__file__).parent
ASYNCIO_MAY_BE_IMPORTED = {
    "compat/accepting.py",
    "compat/endings.py",
    "compat/hosting.py",
    "compat/loops.py",
}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def upstream(name: str) -> Any:
    return pytest.importorskip("flet_web.fastapi", reason="flet-web is not installed").__dict__[
        name
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Session, FletSession), (FletApp, Connection), (Hub, PubSubHub), (Page, FletPage)],
)
def test_no_public_name_of_flets_class_is_missing(ours: type, theirs: type) -> None:
    assert public(theirs) <= public(ours)


@pytest.mark.filterwarnings("ignore")
def test_no_public_name_of_upstreams_app_is_missing() -> None:
    assert public(upstream("FletApp")) <= public(FletApp)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Session, FletSession), (Hub, PubSubHub), (Page, FletPage)]
)
def test_methods_take_what_flets_take(ours: type, theirs: type) -> None:
    for name in sorted(public(theirs)):
        method = inspect.getattr_static(theirs, name)
        if not inspect.isfunction(method):
            continue
        wanted = list(inspect.signature(method).parameters)
        here = list(inspect.signature(inspect.getattr_static(ours, name)).parameters)
        renamed = {"func": "handler"} if name in ("run_task", "run_thread") else {}
        assert [renamed.get(n, n) for n in here][: len(wanted)] == wanted, name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["FletApp", "app", "FletStaticFiles", "FletUpload"])
def test_parameters_come_in_upstreams_order(name: str) -> None:
    wanted = list(inspect.signature(upstream(name)).parameters)
    here = inspect.signature(getattr(flet_anyio, name)).parameters
    positional = [n for n, p in here.items() if p.kind is not p.KEYWORD_ONLY]
    assert positional == wanted


def test_flet_app_is_a_connection() -> None:
    assert issubclass(FletApp, Connection)


def test_all_public_names_exist() -> None:
    assert sorted(flet_anyio.__all__) == flet_anyio.__all__
    for name in flet_anyio.__all__:
        assert getattr(flet_anyio, name) is not None


def test_all_that_is_there_is_a_public_name() -> None:
    ours = {
        name
        for name, value in vars(flet_anyio).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("flet_anyio")
    }
    assert ours <= set(flet_anyio.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flet_anyio.no_such_name


@pytest.mark.filterwarnings("ignore")
def test_upstreams_names_can_be_imported_from_here() -> None:
    upstreams = pytest.importorskip("flet_web.fastapi", reason="flet-web is not installed")
    for name in upstreams.__all__:
        assert hasattr(flet_anyio, name), name
    for name in ("start", "shutdown", "executor"):
        assert hasattr(type(flet_anyio.app_manager), name)


def modules() -> list[str]:
    found = pkgutil.walk_packages([str(SOURCE)], "flet_anyio.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_every_module_says_what_it_is_and_what_it_offers(name: str) -> None:
    if name.endswith("trio_websocket"):
        pytest.importorskip("trio_websocket")
    module = importlib.import_module(name)
    assert module.__doc__
    for public_name in getattr(module, "__all__", []):
        assert hasattr(module, public_name)


def test_public_things_have_docstrings() -> None:
    for name in flet_anyio.__all__:
        thing = getattr(flet_anyio, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if inspect.isfunction(value) and not member.startswith("_"):
                    assert inspect.getdoc(getattr(thing, member)), f"{name}.{member}"


def imports_of(path: Path) -> set[str]:
    """Modules that are imported when the program runs, not only for types."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def test_asyncio_is_imported_by_the_compatibility_layer_only() -> None:
    users = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if "asyncio" in imports_of(path)
    }
    assert users == ASYNCIO_MAY_BE_IMPORTED


def test_nothing_of_upstreams_server_is_imported() -> None:
    for path in SOURCE.rglob("*.py"):
        assert not imports_of(path) & {"flet_web", "uvicorn"}, path


def test_fastapi_is_imported_by_one_module_that_is_loaded_when_asked_for() -> None:
    users = [path for path in SOURCE.rglob("*.py") if "fastapi" in imports_of(path)]
    assert users == [SOURCE / "web" / "fastapi.py"]
    program = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from flet_anyio import *\n"
        "import flet_anyio\n"
        "try: flet_anyio.FastAPI\n"
        "except ImportError as error: assert 'fastapi' in str(error)\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)


@pytest.mark.parametrize("folder", ["wire", "render"])
def test_the_core_does_no_io(folder: str) -> None:
    for path in (SOURCE / folder).glob("*.py"):
        assert not imports_of(path) & {"anyio", "starlette", "trio", "asyncio"}, path
