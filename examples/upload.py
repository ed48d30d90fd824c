"""Uploads: files that the user picks go to a directory of the server, with progress.

Run it: flet-anyio run examples/upload.py --uploads uploads --backend trio
"""

import flet as ft


def main(page: ft.Page) -> None:
    page.title = "Upload"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    bars: dict[str, ft.ProgressBar] = {}
    states: dict[str, ft.Text] = {}

    async def pick() -> None:
        files = await picker.pick_files(allow_multiple=True)
        if not files:
            return
        for file in files:
            add_row(file)
        page.update()
        # Each URL is good for one file and ten minutes.
        await picker.upload(
            [
                ft.FilePickerUploadFile(id=file.id, upload_url=page.get_upload_url(file.name, 600))
                for file in files
            ]
        )

    def add_row(file: ft.FilePickerFile) -> None:
        bars[file.name] = ft.ProgressBar(value=0, border_radius=4)
        states[file.name] = ft.Text("waiting", color=ft.Colors.ON_SURFACE_VARIANT)
        rows.controls.append(
            ft.Column(
                spacing=6,
                controls=[
                    ft.Row(
                        [ft.Text(f"{file.name} ({size_of(file)})"), states[file.name]],
                        alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
                    ),
                    bars[file.name],
                ],
            )
        )

    def show_progress(e: ft.FilePickerUploadEvent) -> None:
        bar, state = bars[e.file_name], states[e.file_name]
        if e.error is not None:
            bar.color = state.color = ft.Colors.ERROR
            state.value = "failed"
        elif e.progress is not None:
            bar.value = e.progress
            state.value = "stored" if e.progress == 1 else f"{e.progress:.0%}"

    picker = ft.FilePicker(on_upload=show_progress)
    rows = ft.Column(spacing=16, height=280, scroll=ft.ScrollMode.AUTO)

    page.services.append(picker)
    page.add(
        ft.Container(
            bgcolor=ft.Colors.SURFACE,
            border_radius=28,
            padding=32,
            width=560,
            content=ft.Column(
                tight=True,
                spacing=24,
                controls=[
                    ft.Row(
                        alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
                        controls=[
                            ft.Text(
                                "Upload",
                                size=32,
                                weight=ft.FontWeight.W_500,
                                color=ft.Colors.PRIMARY,
                            ),
                            ft.FilledButton(
                                "Choose files",
                                icon=ft.Icons.UPLOAD_FILE,
                                height=48,
                                on_click=pick,
                            ),
                        ],
                    ),
                    rows,
                ],
            ),
        )
    )


def size_of(file: ft.FilePickerFile) -> str:
    return f"{file.size} bytes" if file.size < 1024 else f"{file.size / 1024:,.0f} KiB"


if __name__ == "__main__":
    ft.run(main, upload_dir="uploads")
