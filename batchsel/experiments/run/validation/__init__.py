"""Validation of records: types of their fields, contents, and several records of one run."""
