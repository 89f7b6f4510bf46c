"""The verbs: each file adds one command with `register(program)`."""
