"""Flows: named scripts with a handler, their versions and static checks."""
