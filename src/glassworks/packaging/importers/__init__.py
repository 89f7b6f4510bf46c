"""Forms of models that were made elsewhere: one a file."""
