"""Where asyncio is still spoken: loops and executors that callers bring, and flet's own uses."""
