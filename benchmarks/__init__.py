"""Measures Engine against its budgets, beside stock django-q2 in the same run. `make bench` runs all of it."""
