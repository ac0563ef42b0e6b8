"""Helpers for tests on real servers. Python's standard library only."""
