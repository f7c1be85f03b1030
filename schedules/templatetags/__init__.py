"""Template tags of schedules."""
