"""What training and serving need of texts: tokenization, windows, n-grams, sessions."""
