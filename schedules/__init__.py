"""Schedulers and schedules: when flows start by themselves."""
