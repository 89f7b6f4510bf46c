"""What training and serving need of language models: their weights, graphs, tokenizers and templates."""
