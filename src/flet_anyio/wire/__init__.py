"""The Flet protocol as bytes and messages. No I/O, no clock, no tasks."""
