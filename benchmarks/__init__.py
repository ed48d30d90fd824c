"""Measures this server beside upstream's, on the same apps, in one run. See README.md."""
