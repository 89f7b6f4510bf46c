"""What families of language models share."""
