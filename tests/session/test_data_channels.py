# Flet resolves no annotations that are strings: none are postponed here.

import io
from collections.abc import Callable
from dataclasses import field
from typing import Any, Optional

import anyio
import flet as ft
import pytest

from flet_anyio.testing import Client, InProcess
from waiting import gone

pytestmark = pytest.mark.anyio

ACK = b"\xff"
PIXELS = bytes([10, 20, 30, 128]) * 2
PACKET = b"\x04" + (2).to_bytes(4, "little") + (1).to_bytes(4, "little") + PIXELS


@ft.control("Wire")  # type: ignore[arg-type]
class Wire(ft.LayoutControl):
    """Answers what comes on its channel with the bytes in reverse."""

    on_data_channel_open: Optional[ft.EventHandler[ft.DataChannelOpenEvent]] = None  # noqa: UP045
    channels: dict[str, Any] = field(default_factory=dict, metadata={"skip": True})

    def init(self) -> None:
        self.on_data_channel_open = self.opened

    def opened(self, e: ft.DataChannelOpenEvent) -> None:
        channel = self.channels[e.channel_name] = self.get_data_channel(e.channel_id)
        channel.on_bytes(lambda payload: self.answer(channel, payload))
        channel.send(b"hello on " + e.channel_name.encode())

    def answer(self, channel: ft.DataChannel, payload: bytes) -> None:
        if payload == b"fail":
            raise LookupError("broken wire")
        if payload == b"whose page?":
            payload = str(ft.context.page is self.page).encode()[::-1]
        channel.send(payload[::-1])


def wired(page: ft.Page) -> None:
    page.add(Wire(), ft.Text("ready"))


async def open_channel(client: Client, name: str = "main", channel_id: int = 1) -> None:
    await client.see("ready")
    control = next(node for node in client.page.nodes() if node.type in ("Wire", "RawImage"))
    data = {"channel_name": name, "channel_id": channel_id}
    client.fire(control, "data_channel_open", data)


# --- channels of a control --------------------------------------------------------------------


async def test_bytes_go_both_ways() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data == [(1, b"hello on main")])
        client.send_data(1, b"abc")
        client.send_data(1, bytes(range(256)))
        await client.until(lambda: len(client.data) == 3)
        assert client.data[1:] == [(1, b"cba"), (1, bytes(range(255, -1, -1)))]


async def test_several_channels_are_kept_apart() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client, "one", 1)
        await open_channel(client, "two", 2**32 - 1)
        await client.until(lambda: len(client.data) == 2)
        client.send_data(2**32 - 1, b"abc")
        client.send_data(1, b"xyz")
        await client.until(lambda: len(client.data) == 4)
        assert client.data == [
            (1, b"hello on one"),
            (2**32 - 1, b"hello on two"),
            (2**32 - 1, b"cba"),
            (1, b"zyx"),
        ]


async def test_a_handler_of_bytes_runs_in_its_session() -> None:
    async def ask(client: Client) -> None:
        await open_channel(client)
        await client.until(lambda: client.data)
        client.send_data(1, b"whose page?")
        await client.until(lambda: len(client.data) == 2)
        assert client.data[1] == (1, b"True")

    async with InProcess(wired) as app, app.connect() as a, app.connect() as b:
        await ask(a)
        await ask(b)


async def test_a_failing_handler_of_bytes_is_logged_and_the_channel_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data)
        client.send_data(1, b"fail")
        client.send_data(1, b"abc")
        await client.until(lambda: len(client.data) == 2)
        assert client.data[1] == (1, b"cba")
        assert "broken wire" in caplog.text


async def test_bytes_for_a_channel_that_nobody_opened_are_dropped() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await client.see("ready")
        client.send_data(99, b"lost")
        await open_channel(client)
        await client.until(lambda: client.data == [(1, b"hello on main")])
        assert not client.closed


async def test_bytes_sent_right_after_opening_are_not_lost() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        client.send_data(1, b"abc")
        await client.until(lambda: client.data == [(1, b"hello on main"), (1, b"cba")])


async def test_a_closed_channel_takes_and_sends_nothing() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data)
        wire = next(c for c in app.session.page.controls if isinstance(c, Wire))
        wire.channels["main"].close()
        wire.channels["main"].send(b"lost")
        client.send_data(1, b"abc")
        await open_channel(client, "again", 2)
        await client.until(lambda: len(client.data) == 2)
        assert client.data[1] == (2, b"hello on again")


async def test_bytes_may_be_sent_from_a_thread() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data)
        wire = next(c for c in app.session.page.controls if isinstance(c, Wire))
        app.session.page.run_thread(wire.channels["main"].send, b"by thread")
        await client.until(lambda: client.data[1:] == [(1, b"by thread")])


async def test_a_reloaded_client_opens_its_channel_anew() -> None:
    async with InProcess(wired) as app:
        async with app.connect() as client:
            await open_channel(client)
            await client.until(lambda: client.data)
        async with app.connect(after=client) as back:
            await open_channel(back, "again", 1)
            await back.until(lambda: back.data == [(1, b"hello on again")])
            back.send_data(1, b"abc")
            await back.until(lambda: back.data[1:] == [(1, b"cba")])


# --- raw images -------------------------------------------------------------------------------


def picturing(draw: Callable[[ft.RawImage], Any], **options: Any) -> Callable[[ft.Page], None]:
    """An app that shows `draw` of an image, and what came of it."""

    def main(page: ft.Page) -> None:
        image = ft.RawImage(**options)

        async def go() -> None:
            page.add(ft.Text("drawing"))
            try:
                await draw(image)
            except TimeoutError as error:
                page.add(ft.Text(f"TimeoutError {error}"))
            else:
                page.add(ft.Text("drawn"))

        page.add(image, ft.Text("ready"), ft.Button("go", on_click=go))

    return main


async def two_pixels(image: ft.RawImage) -> None:
    await image.render_rgba(2, 1, PIXELS)


async def test_a_frame_is_drawn_when_the_client_has_acknowledged_it() -> None:
    async with InProcess(picturing(two_pixels)) as app, app.connect() as client:
        await open_channel(client)
        await client.click("go")
        await client.until(lambda: client.data)
        assert client.data == [(1, PACKET)]
        await client.see("drawing")
        assert "drawn" not in client.texts
        client.send_data(1, ACK)
        await client.see("drawn")


async def test_a_frame_waits_for_the_client_to_open_its_channel() -> None:
    async with InProcess(picturing(two_pixels)) as app, app.connect() as client:
        await client.click("go")
        await client.see("drawing")
        assert client.data == []
        await open_channel(client)
        # Flet shows the last frame on a new channel, and then sends the one that waited.
        await client.until(lambda: len(client.data) == 2)
        assert client.data == [(1, PACKET), (1, PACKET)]
        client.send_data(1, ACK)
        await client.see("drawn")


async def test_the_client_sets_the_pace() -> None:
    async def film(image: ft.RawImage) -> None:
        for shade in range(3):
            await image.render_rgba(1, 1, bytes([shade, 0, 0, 1]))

    async with InProcess(picturing(film)) as app, app.connect() as client:
        await open_channel(client)
        await client.click("go")
        for shade in range(3):
            await client.until(lambda: client.data)
            ((_, packet),) = client.data
            assert packet[-4:] == bytes([shade, 0, 0, 1])
            client.data.clear()
            client.send_data(1, ACK)
        await client.see("drawn")


async def test_a_hidden_tab_gets_no_frames() -> None:
    async with InProcess(picturing(two_pixels)) as app, app.connect() as client:
        await open_channel(client)
        client.fire(1, "app_lifecycle_state_change", {"state": "hide"})
        await client.click("go")
        await client.see("drawing")
        await anyio.wait_all_tasks_blocked()
        assert client.data == []
        client.fire(1, "app_lifecycle_state_change", {"state": "show"})
        await client.until(lambda: client.data == [(1, PACKET)])
        client.send_data(1, ACK)
        await client.see("drawn")


async def test_a_picture_is_encoded_in_a_thread() -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.new("RGB", (3, 2), (255, 0, 0))

    async def show(raw: ft.RawImage) -> None:
        await raw.render(picture)

    async with InProcess(picturing(show)) as app, app.connect() as client:
        await open_channel(client)
        await client.click("go")
        await client.until(lambda: client.data)
        ((_, packet),) = client.data
        assert packet[:1] == b"\x01"
        shown = image.open(io.BytesIO(packet[1:]))
        assert (shown.size, shown.getpixel((0, 0))) == ((3, 2), (255, 0, 0))
        client.send_data(1, ACK)
        await client.see("drawn")


async def test_a_client_that_never_opens_its_channel_times_out() -> None:
    main = picturing(two_pixels, ready_timeout=0.01)
    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: any("TimeoutError" in text for text in client.texts))
        assert client.data == []


async def test_a_frame_without_acknowledgement_times_out_and_the_next_is_drawn() -> None:
    async def twice(image: ft.RawImage) -> None:
        with pytest.raises(TimeoutError, match=r"not acknowledged within 0\.01s"):
            await two_pixels(image)
        image.ack_timeout = None
        await two_pixels(image)

    async with InProcess(picturing(twice, ack_timeout=0.01)) as app, app.connect() as client:
        await open_channel(client)
        await client.click("go")
        await client.until(lambda: len(client.data) == 2)
        client.send_data(1, ACK)
        await client.see("drawn")


async def test_a_new_channel_frees_who_waits_and_shows_the_last_frame_again() -> None:
    async with InProcess(picturing(two_pixels)) as app, app.connect() as client:
        await open_channel(client)
        await client.click("go")
        await client.until(lambda: client.data == [(1, PACKET)])
        await open_channel(client, channel_id=2)
        await client.see("drawn")
        assert client.data == [(1, PACKET), (2, PACKET)]


async def test_a_client_that_comes_back_gets_the_frame_that_was_not_acknowledged() -> None:
    async with InProcess(picturing(two_pixels)) as app:
        async with app.connect() as client:
            await open_channel(client)
            await client.click("go")
            await client.until(lambda: client.data)
        async with app.connect(after=client) as back:
            await open_channel(back)
            await back.until(lambda: back.data == [(1, PACKET)])
            await back.see("drawn")


async def test_a_channel_goes_on_when_the_client_comes_back_with_its_page() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data)
        await gone(client)
        async with app.connect(after=client, live=True) as back:
            back.send_data(1, b"abc")
            await back.until(lambda: back.data)
            assert back.data == [(1, b"cba")]


async def test_a_page_that_was_loaded_anew_begins_with_channels_of_its_own() -> None:
    async with InProcess(wired) as app, app.connect() as client:
        await open_channel(client)
        await client.until(lambda: client.data)
        client.drop()
        async with app.connect(after=client) as back:
            back.send_data(1, b"abc")
            await open_channel(back, "again", channel_id=2)
            await back.until(lambda: back.data)
            assert back.data == [(2, b"hello on again")]
