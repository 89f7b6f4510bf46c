"""The tokenizer, where the server shows it: its tokens are those that are counted and scored."""

from __future__ import annotations

from glassworks.conformance.openai.client import PROMPTS, Client, same
from glassworks.conformance.target import Failed


def o14_ids(client: Client) -> None:
    """/tokenize gives whole numbers, the same each time, more for more."""
    one, other = client.token_ids(PROMPTS[1]), client.token_ids(PROMPTS[1] + " " + PROMPTS[0])
    if not all(type(each) is int and each >= 0 for each in one) or not 0 < len(one) < len(other):
        raise Failed(f"tokens {one[:20]} and {other[:20]}")
    same(client.token_ids(PROMPTS[1]), one, "the tokens of the same text")


def o14_any_text(client: Client) -> None:
    """So it does for characters of several bytes, and for blanks."""
    for text in ("你好，世界", "🙂👩‍👩‍👧", "é", " \n\t ", "<|im_end|>"):
        if not client.token_ids(text):
            raise Failed(f"{text!r} has no tokens")
