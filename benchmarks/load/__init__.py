"""How much one server holds, and how its clients fare while others attack it. See ../README.md."""
