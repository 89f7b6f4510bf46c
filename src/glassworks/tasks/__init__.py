"""Tasks: what goes in, what comes out and how it is scored, one file a task."""
