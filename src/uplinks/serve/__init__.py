"""Programs that serve: a child's API, and a live parent."""
