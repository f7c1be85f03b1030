"""The tests: a folder per part of the house, a file per promise."""
