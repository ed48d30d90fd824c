"""The command line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from .serving.apps import is_asgi
from .serving.run import run as run_app
from .serving.script import Script, ScriptError, load
from .settings import log_level

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["main"]


@click.group()
@click.version_option(package_name="flet-anyio")
def main() -> None:
    """Serve Flet apps to browsers, on trio or asyncio."""


@main.command()
@click.argument("target", metavar="FILE[:NAME]")
@click.option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio")
@click.option("--uvloop", is_flag=True, help="Run asyncio on uvloop.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=int,
    help="Port to listen on; 0 takes a free one.  [default: 8000]",
)
@click.option("--path", help="Where the app is on the server.  [default: the root]")
@click.option("--assets", "assets_dir", type=click.Path(file_okay=False), help="The app's files.")
@click.option("--uploads", "upload_dir", type=click.Path(file_okay=False), help="Take uploads.")
@click.option("--renderer", "web_renderer", type=click.Choice(["auto", "canvaskit", "skwasm"]))
@click.option(
    "--sync-handlers",
    type=click.Choice(["inline", "thread"]),
    help="Where functions of the app run: on the event loop, or in threads.  [default: inline]",
)
@click.option(
    "--allow-origin",
    "allowed_origins",
    metavar="ORIGIN",
    multiple=True,
    help="Another site whose pages may use the app, as https://example.com.",
)
@click.option("--debug", is_flag=True, help="Show the text of errors to visitors.")
@click.option("-v", "--verbose", count=True, help="Log more; twice for all.")
def run(
    target: str,
    backend: Any,
    uvloop: bool,
    verbose: int,
    debug: bool,
    **options: Any,
) -> None:
    """Serve the app in FILE.

    FILE may be an ordinary Flet program that ends in ft.run(main): it is served as it is.
    With :NAME, the function of that name is the app.
    """
    try:
        logging.basicConfig(
            level=_level(verbose), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        script = load(target)
        # An ASGI app in the file has settings of its own: give it only what was asked for.
        settings = _settings(script, options) | ({"debug": True} if debug else {})
        run_app(
            script.main,
            backend=backend,
            uvloop=uvloop,
            on_start=lambda url: click.echo(f"Serving {target} on {url} (Ctrl+C stops)"),
            **settings,
        )
    except (ScriptError, OSError, RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _level(verbose: int) -> int:
    if not verbose:
        return log_level() or logging.WARNING
    return logging.INFO if verbose == 1 else logging.DEBUG


def _settings(script: Script, options: dict[str, Any]) -> dict[str, Any]:
    # What the command line says wins over the file; what neither says is left to run().
    given = {name: value for name, value in options.items() if value not in (None, ())}
    settings = {
        name: value for name, value in {**script.settings, **given}.items() if value is not None
    }
    if "assets_dir" not in given and not is_asgi(script.main):
        settings |= _assets(script.directory, settings.get("assets_dir"))
    return settings


def _assets(directory: Path, named: str | None) -> dict[str, str]:
    # As in flet: relative to the file, and "assets" when nothing is said.
    path = directory / (named or "assets")
    return {"assets_dir": str(path)} if path.is_dir() else {"assets_dir": ""}
