"""Projects: the places where records live. The Default project always exists."""
