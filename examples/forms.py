"""A form: fields of most kinds, checked together, with each complaint beside its field.

Run it: flet-anyio run examples/forms.py --backend trio
"""

from datetime import date, datetime, timedelta

import flet as ft

OCCASIONS = ["Just dinner", "Birthday", "Anniversary", "Business"]


def main(page: ft.Page) -> None:
    page.title = "Book a table"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    def show_guests() -> None:
        number = round(guests.value or 1)
        guests_text.value = f"{number} guests" if number > 1 else "1 guest"

    def show_day() -> None:
        assert isinstance(calendar.value, datetime)
        # It is midnight where the user is, but told in UTC. 13 hours later UTC has the same date,
        # for users from UTC-10 to UTC+13.
        day.content = f"{calendar.value + timedelta(hours=13):%d %B %Y}"
        day_error.visible = False

    def check() -> bool:
        name.error = None if name.value.strip() else "Please tell us your name"
        email.error = None if "@" in email.value[1:-1] else "This is no e-mail address"
        occasion.error_text = None if occasion.value else "Please choose one"
        day_error.visible = calendar.value is None
        agree.error = not agree.value
        wrong = [name.error, email.error, occasion.error_text, day_error.visible, agree.error]
        return not any(wrong)

    def book() -> None:
        if check():
            page.show_dialog(
                ft.AlertDialog(
                    icon=ft.Icon(ft.Icons.CHECK_CIRCLE, color=ft.Colors.PRIMARY, size=40),
                    title=f"See you, {name.value.strip()}!",
                    content=ft.Text(
                        f"{occasion.value} for {guests_text.value} on {day.content}"
                        f"{', vegetarian' if vegetarian.value else ''}.\n"
                        f"We will write to {email.value.strip()}."
                    ),
                    actions=[ft.TextButton("Close", on_click=page.pop_dialog)],
                )
            )

    name = ft.TextField(label="Name", autofocus=True, expand=True)
    email = ft.TextField(label="E-mail", keyboard_type=ft.KeyboardType.EMAIL, expand=True)
    occasion = ft.Dropdown(
        label="Occasion",
        width=280,
        options=[ft.DropdownOption(each) for each in OCCASIONS],
    )
    calendar = ft.DatePicker(
        first_date=date.today(), last_date=date.today() + timedelta(days=90), on_change=show_day
    )
    day = ft.OutlinedButton(
        "Choose a day",
        icon=ft.Icons.CALENDAR_MONTH,
        height=48,
        on_click=lambda: page.show_dialog(calendar),
    )
    day_error = ft.Text("Please choose a day", size=12, color=ft.Colors.ERROR, visible=False)
    guests = ft.Slider(min=1, max=8, divisions=7, value=2, expand=True, on_change=show_guests)
    guests_text = ft.Text("2 guests", width=80)
    vegetarian = ft.Switch(label="Vegetarian menu")
    agree = ft.Checkbox(label="I will call if I cannot come")

    page.add(
        ft.Container(
            bgcolor=ft.Colors.SURFACE,
            border_radius=28,
            padding=32,
            width=640,
            content=ft.Column(
                tight=True,
                spacing=20,
                controls=[
                    ft.Text(
                        "Book a table",
                        size=32,
                        weight=ft.FontWeight.W_500,
                        color=ft.Colors.PRIMARY,
                    ),
                    ft.Row([name, email], vertical_alignment=ft.CrossAxisAlignment.START),
                    ft.Row(
                        vertical_alignment=ft.CrossAxisAlignment.START,
                        spacing=20,
                        controls=[occasion, ft.Column([day, day_error], tight=True, spacing=4)],
                    ),
                    ft.Row([guests_text, guests]),
                    ft.Row([vegetarian, agree], spacing=32),
                    ft.FilledButton("Book", height=48, width=160, on_click=book),
                ],
            ),
        )
    )


if __name__ == "__main__":
    ft.run(main)
