"""What building and serving an index of texts need: passages, words, vectors, search, prompts and citations."""
