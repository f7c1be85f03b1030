"""What every record has: identity, names, trash, filters and the generic doors. Knows no other app."""
