"""A counter: plain Flet, with nothing in it about the server.

Run it: flet-anyio run examples/counter.py --backend trio
"""

import flet as ft


def main(page: ft.Page) -> None:
    page.title = "Counter"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    def add(step: int) -> None:
        number.value = str(int(number.value) + step)
        page.update()

    number = ft.Text("0", size=96, weight=ft.FontWeight.W_500, color=ft.Colors.PRIMARY)
    large = ft.ButtonStyle(text_style=ft.TextStyle(size=28))

    page.add(
        ft.Container(
            bgcolor=ft.Colors.SURFACE,
            border_radius=28,
            padding=ft.Padding.symmetric(horizontal=64, vertical=40),
            shadow=ft.BoxShadow(
                blur_radius=24,
                offset=ft.Offset(0, 8),
                color=ft.Colors.with_opacity(0.12, ft.Colors.SHADOW),
            ),
            content=ft.Column(
                tight=True,
                horizontal_alignment=ft.CrossAxisAlignment.CENTER,
                controls=[
                    ft.Text("You have counted to", size=16, color=ft.Colors.ON_SURFACE_VARIANT),
                    number,
                    ft.Row(
                        tight=True,
                        spacing=16,
                        controls=[
                            ft.FilledTonalButton(
                                "-", width=88, height=56, style=large, on_click=lambda: add(-1)
                            ),
                            ft.FilledButton(
                                "+", width=88, height=56, style=large, on_click=lambda: add(1)
                            ),
                        ],
                    ),
                ],
            ),
        )
    )


if __name__ == "__main__":
    ft.run(main)
