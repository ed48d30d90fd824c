"""A Flet app on trio-websocket: one socket on trio, with no ASGI and no HTTP server.

Run it: python examples/trio_websocket_server.py

It serves nothing but the socket. A browser also needs the files of the compiled client, from
any web server that passes /ws on to this program.
"""

import signal
from functools import partial

import flet as ft
import trio
from trio_websocket import WebSocketRequest, serve_websocket

from flet_anyio import FletApp, Server


def main(page: ft.Page) -> None:
    def add() -> None:
        count.value = str(int(count.value) + 1)

    count = ft.Text("0", size=48)
    page.add(count, ft.Button("+", on_click=add))


async def serve(
    port: int = 8000, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    async with Server() as server, trio.open_nursery() as nursery:

        async def handle(request: WebSocketRequest) -> None:
            await FletApp(main=main, server=server).handle(request)

        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            listen = partial(serve_websocket, handle, "127.0.0.1", port, ssl_context=None)
            listener = await nursery.start(listen)
            url = f"ws://127.0.0.1:{listener.port}/ws"
            print(f"Serving on {url} (Ctrl+C stops)")
            task_status.started(url)
            await anext(aiter(signals))
        # While the connections still live: clients are told to come back later.
        await server.shutdown()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve)
