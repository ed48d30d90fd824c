"""The checks that make a change fit to be merged: `nox`, or `nox -s NAME`.

Arguments after `--` go to pytest. With FLET_ANYIO_JUNIT_DIR set, each pytest run leaves its
results in that directory.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
CODE = ["src", "tests", "examples", "docs", "benchmarks", "noxfile.py"]
CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
UV_VARIABLES = {  # by pip's name: uv's name, and what separates its values
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", " "),
}

PYPROJECT = nox.project.load_toml("pyproject.toml")
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def _runs(version: str) -> bool:
    """Whether this Python is there. A shim on the path may be there and not run."""
    program = shutil.which(f"python{version}")
    return bool(
        program and subprocess.run([program, "--version"], capture_output=True).returncode == 0
    )


FOUND = [version for version in PYTHONS if _runs(version)] or PYTHONS[:1]
OLDEST, MIDDLE, NEWEST = PYTHONS[0], FOUND[len(FOUND) // 2], FOUND[-1]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the mistakes that can be seen without running anything."""
    _install(session, *_only("ruff"))
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Types, of the tests and examples too."""
    _install(session, "-e", ".[web,trio,test,test-trio,browser]", *_only("mypy", "nox"))
    session.run("mypy")


@nox.session
def audit(session: nox.Session) -> None:
    """Known weaknesses of what this package runs on, in the newest versions that it allows."""
    _install(session, "-e", ".[web,fastapi,trio]", *_only("pip-audit"))
    report = Path(session.create_tmp(), "audit.json")
    report.unlink(missing_ok=True)
    session.run(
        *("pip-audit", "--skip-editable", "--format", "json", "--output", str(report)),
        success_codes=[0, 1],
    )
    if not report.exists():
        session.skip("nobody could be asked for what is known")
    packages = json.loads(report.read_text())["dependencies"]
    asked = [package for package in packages if "vulns" in package]
    weak = [f"{one['name']} {v['id']}" for one in asked for v in one["vulns"]]
    session.log(f"{len(asked)} of {len(packages)} packages are known where was asked")
    if weak:
        session.error(f"known weaknesses: {', '.join(weak)}")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests on every backend; on older Pythons without the slow ones, on asyncio and trio."""
    _install(session, "-e", ".[web,trio,test,test-trio]")
    # Eager tasks are hardly anybody's yet, and what is slow is mostly the servers'.
    marks = "not browser and not (slow and eager)"
    _pytest(session, marks, everything=session.python == NEWEST)


@nox.session(python=MIDDLE)
def tests_no_trio(session: nox.Session) -> None:
    """The tests with no trio installed, as asyncio needs none of it; on a Python in between."""
    _install(session, "-e", ".[web,test]")
    session.run("python", "-c", "import importlib.util as u; assert not u.find_spec('trio')")
    _pytest(session, "not browser", everything=False)


@nox.session(python=OLDEST)
def tests_lowest(session: nox.Session) -> None:
    """The tests with the oldest version of each dependency that the metadata allows."""
    _install(session, "--resolution", "lowest-direct", "-e", ".[web,trio,test,test-trio]")
    _pytest(session, "not browser", everything=False)


@nox.session
def browser(session: nox.Session) -> None:
    """Flet's compiled client in headless Chromium, against real servers."""
    required = os.environ.get("FLET_ANYIO_REQUIRE_BROWSER") == "1"
    if not required and not any(map(shutil.which, CHROMIUM)):
        session.skip("there is no Chromium; FLET_ANYIO_REQUIRE_BROWSER=1 takes Playwright's own")
    _install(session, "-e", ".[web,trio,test,browser]")
    _pytest(session, "browser", workers=3)


@nox.session
def soak(session: nox.Session) -> None:
    """Ten thousand connections with random faults, and uploads of 10 GiB; up to ten minutes."""
    _install(session, "-e", ".[web,trio,test]")
    session.run("python", "-m", "soak", *session.posargs, env={"PYTHONPATH": "tests"})
    session.run("python", "-m", "soak.upload", env={"PYTHONPATH": "tests"})


@nox.session
def bench(session: nox.Session) -> None:
    """The figures of benchmarks/README.md; takes some ten minutes on a machine that is quiet."""
    _install(session, "-e", ".[web,trio,test]", "nicegui>=3,<4")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def load(session: nox.Session) -> None:
    """What one server holds, and its clients under attack; ten minutes on a quiet machine."""
    _install(session, "-e", ".[web,trio,test]")
    session.run("python", "-m", "benchmarks.load", *session.posargs)


@nox.session
def page_load(session: nox.Session) -> None:
    """What a browser loads, for docs/benchmarks.md."""
    _install(session, "-e", ".[web,trio,test,browser]")
    session.run("python", "tests/browser/load_bytes.py", *session.posargs)


def _install(session: nox.Session, *arguments: str) -> None:
    """Install by uv: by pip it would take as long as half of the tests."""
    session.install("uv")
    command = ("uv", "pip", "install", "--python", "python")
    session.run(*command, *arguments, env=_uv_settings(session), silent=True)


def _pytest(session: nox.Session, marks: str, *, workers: int = 4, everything: bool = True) -> None:
    # Also on two cores: much of the time goes by in tests that wait for real servers.
    arguments = ["-m", marks, "-n", str(workers), "--dist", "worksteal"]
    if not everything:
        # What is slow is so on any Python, and the other loops are asyncio's to our code.
        arguments[1] += " and not slow"
        arguments += ["-k", "not uvloop and not eager"]
    if folder := os.environ.get("FLET_ANYIO_JUNIT_DIR"):
        arguments.append(f"--junitxml={Path(folder, session.name)}.xml")
    # Last, so that what was asked for wins over what stands here.
    session.run("pytest", *arguments, *session.posargs)


def _only(*names: str) -> list[str]:
    """These requirements of the `dev` extra, without the others."""
    return [one for one in EXTRAS["dev"] if one.startswith(names)]


def _uv_settings(session: nox.Session) -> dict[str, str]:
    """Where pip is told to find packages, told to uv, which does not read pip's settings."""
    listed = session.run("pip", "config", "list", silent=True) or ""
    # As pip does, take each package from whichever index has the version.
    settings = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for line in str(listed).splitlines():
        key, _, value = line.partition("=")
        variable, separator = UV_VARIABLES.get(key.rpartition(".")[2], ("", ""))
        if variable and variable not in os.environ:
            words = ast.literal_eval(value).split()
            settings.setdefault(variable, separator.join(words))
    return settings


# The newest Python has all tests; of the others each has one of the runs that leave something out,
# the oldest that with the oldest dependencies.
nox.options.sessions = [
    *("lint", "types", "audit", f"tests-{NEWEST}"),
    *("tests_no_trio", "tests_lowest", "browser"),
]
