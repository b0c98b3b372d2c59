"""Benchmarks of the loop, of planning, of schedules and of streaming."""
