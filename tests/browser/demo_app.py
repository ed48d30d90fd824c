"""The app that probe.py drives. It uses only `import flet as ft` (no asyncio), so that any server
of Flet's wire protocol can serve it.

Every visible value is a text of the form "<Key>: <value>" so the probe can read it from
Flutter's semantics tree.
"""
# Untyped, as apps are written.
# mypy: allow-untyped-defs, allow-untyped-calls

import flet as ft


def main(page: ft.Page) -> None:
    page.title = "Flet probe demo"
    page.scroll = ft.ScrollMode.AUTO

    # shown so that the probe can see whether a session object survived a reconnect
    session_txt = ft.Text(f"Session: {page.session.id}")
    conn_txt = ft.Text("Connects: 0 disconnects: 0")
    route_txt = ft.Text(f"Route: {page.route}")
    stats = {"connects": 0, "disconnects": 0, "count": 0, "rows": 0}

    def show_conn():
        conn_txt.value = f"Connects: {stats['connects']} disconnects: {stats['disconnects']}"

    def on_connect(e):
        stats["connects"] += 1
        show_conn()
        page.update()

    def on_disconnect(e):
        stats["disconnects"] += 1
        show_conn()

    def on_route_change(e):
        route_txt.value = f"Route: {page.route}"
        page.update()

    page.on_connect = on_connect
    page.on_disconnect = on_disconnect
    page.on_route_change = on_route_change

    # --- counter -----------------------------------------------------------------
    count_txt = ft.Text("Count: 0", size=24)

    def inc(e):
        stats["count"] += 1
        count_txt.value = f"Count: {stats['count']}"
        page.update()

    def dec(e):
        stats["count"] -= 1
        count_txt.value = f"Count: {stats['count']}"
        page.update()

    async def burst(e):
        # 50 separate patches from one event
        for _ in range(50):
            stats["count"] += 1
            count_txt.value = f"Count: {stats['count']}"
            page.update()

    # --- text --------------------------------------------------------------------
    echo_txt = ft.Text("Echo: ")
    submitted_txt = ft.Text("Submitted: ")

    def on_change(e):
        echo_txt.value = f"Echo: {e.control.value}"
        page.update()

    def on_submit(e):
        submitted_txt.value = f"Submitted: {name.value}"
        page.update()

    name = ft.TextField(label="Name", on_change=on_change, on_submit=on_submit)

    # --- checkbox ----------------------------------------------------------------
    check_txt = ft.Text("Checked: False")

    def on_check(e):
        check_txt.value = f"Checked: {agree.value}"
        page.update()

    agree = ft.Checkbox(label="Agree", on_change=on_check)

    # --- list --------------------------------------------------------------------
    rows = ft.Column()
    rows_txt = ft.Text("Rows: 0")

    def add_row(e):
        stats["rows"] += 1
        rows.controls.append(ft.Text(f"Row number {stats['rows']}"))
        rows_txt.value = f"Rows: {len(rows.controls)}"
        page.update()

    def del_row(e):
        if rows.controls:
            rows.controls.pop(0)
        rows_txt.value = f"Rows: {len(rows.controls)}"
        page.update()

    # --- dialog ------------------------------------------------------------------
    dialog_txt = ft.Text("Dialog: closed")

    def close_dialog(e):
        page.pop_dialog()
        dialog_txt.value = "Dialog: confirmed"
        page.update()

    dialog = ft.AlertDialog(
        title=ft.Text("Confirm title"),
        content=ft.Text("Confirm content"),
        actions=[ft.TextButton("Confirm", on_click=close_dialog)],
    )

    def open_dialog(e):
        page.show_dialog(dialog)

    # --- route -------------------------------------------------------------------
    async def go_about(e):
        await page.push_route("/about")

    # --- upload ------------------------------------------------------------------
    pick_txt = ft.Text("Picked: ")
    upload_txt = ft.Text("Upload: ")
    progress_txt = ft.Text("Progress: ")
    progress = []

    def on_upload(e):
        upload_txt.value = f"Upload: {e.file_name} {e.progress} {e.error}"
        progress.append(e.progress)
        if e.error is not None:
            progress.clear()
        elif e.progress == 1:
            order = "rising" if progress == sorted(set(progress)) else f"mixed: {progress}"
            progress_txt.value = f"Progress: from {progress[0]:g} to 1, {order}"
            progress.clear()
        page.update()

    picker = ft.FilePicker(on_upload=on_upload)

    async def pick(e):
        files = await picker.pick_files(cancel_upload_on_window_blur=False)
        pick_txt.value = "Picked: " + ", ".join(f"{f.name} {f.size}" for f in files)
        page.update()
        if files:
            await picker.upload(
                [ft.FilePickerUploadFile(upload_url=url_for(f.name), id=f.id) for f in files]
            )

    def url_for(name: str) -> str:
        # Flet's own page knows no `max_size`.
        return page.get_upload_url(name, 60, max_size=1_000_000)  # type: ignore[call-arg]

    # --- crash -------------------------------------------------------------------
    def crash(e):
        raise ValueError("probe crash")

    page.add(
        session_txt,
        conn_txt,
        route_txt,
        count_txt,
        ft.Row(
            [
                ft.FilledButton("-", on_click=dec),
                ft.FilledButton("+", on_click=inc),
                ft.FilledButton("Burst", on_click=burst),
            ]
        ),
        name,
        echo_txt,
        submitted_txt,
        agree,
        check_txt,
        ft.Row(
            [
                ft.FilledButton("Add row", on_click=add_row),
                ft.FilledButton("Delete row", on_click=del_row),
                ft.FilledButton("Open dialog", on_click=open_dialog),
                ft.FilledButton("Go about", on_click=go_about),
                ft.FilledButton("Pick file", on_click=pick),
                ft.FilledButton("Crash", on_click=crash),
            ]
        ),
        dialog_txt,
        pick_txt,
        upload_txt,
        progress_txt,
        rows_txt,
        rows,
    )
