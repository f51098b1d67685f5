"""Compares the Go daemons with ours under load: ``make bench``, or ``python -m benchmarks``."""
