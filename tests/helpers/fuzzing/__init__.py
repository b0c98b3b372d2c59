"""Hostile and damaged files for every reader: mutations of whole ones, and files made to do harm.

`targets.TARGETS` holds one target for each reader. `harness.try_case` tries a case, which its target and number fix, in
limits of time and memory; nothing but a `UserError` may come of it. ``make fuzz`` tries many, in processes of their own.
"""
