"""What answers of language models are worth: examples, graders, judges, and their sum."""
