"""Who may do what: users, API keys, memberships and the one permission function."""
