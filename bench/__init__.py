"""Benchmarks: each prints JSON lines, one a figure, with a ratio taken in the same run where there is one."""
