"""Tests of the house itself: its layout, settings, database, processes and probes."""
