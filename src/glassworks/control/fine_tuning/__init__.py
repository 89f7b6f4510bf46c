"""Runs that tune language models, as jobs of OpenAI's API: what is asked, how far they are, what follows at the end."""
