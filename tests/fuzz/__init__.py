"""Mutated bytes for live servers, on real sockets: `python -m fuzz --help`."""
