"""The keys of `[data]` for conversations."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from glassworks.data.split_keys import SplitData


class ConversationData(SplitData):
    """Conversations that end with an answer, or with a preferred answer and a rejected one: JSON lines in OpenAI's
    forms, or tables with a question and what was answered."""

    kind: ClassVar[str] = "conversations"
    messages: str = ""
    """The key, or the column, of a list of messages with `role` and `content` or, as ShareGPT, `from` and `value`;
    `tools` and `system` beside. Left out, `messages`, `conversations` or `conversation`."""
    prompt: str = "prompt"
    """The column of the question, in a table or in lines without messages: a text, or a list of messages."""
    answer: str = ""
    """The column of its answer; left out, `completion` or `answer`."""
    preferred: str = ""
    """The column of the preferred of two answers; left out, `preferred_output` or `chosen`."""
    rejected: str = ""
    """The column of the other one; left out, `non_preferred_output` or `rejected`."""
    tolerated: float = Field(default=0.1, ge=0, lt=1)
    """Share of the conversations that may be of no use: they are left out, and named. With 0 none may be."""
    system: str = ""
    """What every conversation without a message of the system begins with."""
