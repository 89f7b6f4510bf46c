"""The suite `openai`: what a server that claims OpenAI's API must do, checked over the wire on any model."""
