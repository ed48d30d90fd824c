"""A chat: everybody who has the page open talks to everybody else, over Flet's pub/sub.

Run it, and open it in two tabs: flet-anyio run examples/chat.py --backend trio
"""

from dataclasses import dataclass

import flet as ft

COLORS = [ft.Colors.INDIGO, ft.Colors.TEAL, ft.Colors.DEEP_ORANGE, ft.Colors.PINK, ft.Colors.BROWN]


@dataclass(frozen=True)
class Message:
    """What somebody says; without an author, what happens in the room."""

    text: str
    author: str = ""


def main(page: ft.Page) -> None:
    page.title = "Chat"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    async def join() -> None:
        name.value = name.value.strip()
        if not name.value:
            name.error = "Who are you?"
            return
        page.clean()
        page.add(room)
        page.pubsub.subscribe(show)
        page.on_close = leave
        page.pubsub.send_all(Message(f"{name.value} joined"))
        await text.focus()

    async def send() -> None:
        if text.value.strip():
            page.pubsub.send_all(Message(text.value.strip(), name.value))
        text.value = ""
        await text.focus()

    def leave() -> None:
        page.pubsub.send_others(Message(f"{name.value} left"))

    def show(message: Message) -> None:
        messages.controls.append(
            bubble(message, mine=message.author == name.value) if message.author else note(message)
        )
        page.update()

    name = ft.TextField(label="Your name", autofocus=True, on_submit=join)
    door = ft.Container(
        bgcolor=ft.Colors.SURFACE,
        border_radius=28,
        padding=40,
        width=400,
        content=ft.Column(
            tight=True,
            spacing=20,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
            controls=[
                ft.Text("Join the chat", size=28, weight=ft.FontWeight.W_500),
                name,
                ft.FilledButton("Join", height=48, on_click=join),
            ],
        ),
    )

    messages = ft.ListView(expand=True, spacing=12, padding=24, auto_scroll=True)
    text = ft.TextField(
        hint_text="Say something",
        expand=True,
        border=ft.OutlineInputBorder(border_radius=28),
        on_submit=send,
    )
    room = ft.Container(
        bgcolor=ft.Colors.SURFACE,
        border_radius=28,
        width=640,
        expand=True,
        content=ft.Column(
            spacing=0,
            controls=[
                messages,
                ft.Divider(height=1),
                ft.Container(
                    padding=16,
                    content=ft.Row(
                        [text, ft.IconButton(ft.Icons.SEND, tooltip="Send", on_click=send)]
                    ),
                ),
            ],
        ),
    )

    page.add(door)


def bubble(message: Message, *, mine: bool) -> ft.Control:
    color = COLORS[sum(message.author.encode()) % len(COLORS)]
    avatar = ft.CircleAvatar(
        content=ft.Text(message.author[0].upper(), color=ft.Colors.WHITE), bgcolor=color
    )
    words = ft.Container(
        bgcolor=ft.Colors.PRIMARY_CONTAINER if mine else ft.Colors.SURFACE_CONTAINER_HIGH,
        border_radius=20,
        padding=ft.Padding.symmetric(horizontal=16, vertical=10),
        content=ft.Column(
            tight=True,
            spacing=2,
            controls=[
                ft.Text(message.author, size=12, color=color, weight=ft.FontWeight.W_500),
                ft.Text(message.text, selectable=True),
            ],
        ),
    )
    return ft.Row(
        [words, avatar] if mine else [avatar, words],
        alignment=ft.MainAxisAlignment.END if mine else ft.MainAxisAlignment.START,
        vertical_alignment=ft.CrossAxisAlignment.END,
    )


def note(message: Message) -> ft.Control:
    return ft.Text(message.text, size=12, color=ft.Colors.OUTLINE, text_align=ft.TextAlign.CENTER)


if __name__ == "__main__":
    ft.run(main)
