"""Headless users, scenarios, the naive peer and the benchmark report."""
