"""Template tags that all apps' pages share."""
