"""What is asked for now and answered later: files that are kept for their owners, and batches of requests from them."""
