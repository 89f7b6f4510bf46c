"""What the endpoints of OpenAI's protocol share: requests as pure functions, answers, and events."""
