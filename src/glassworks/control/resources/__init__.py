"""One file a resource: each holds a `router`, which is found here."""
