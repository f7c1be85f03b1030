"""Connectors: how the engine talks to other systems. One module per type of connection."""
