"""Ten thousand connections with random faults, on real sockets: `python -m soak --help`."""
