"""Calls from outside that start flows: the record, its public door, and the log of its calls."""
