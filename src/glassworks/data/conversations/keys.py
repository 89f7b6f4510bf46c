"""The keys of `[data]` for conversations."""

from __future__ import annotations

from typing import ClassVar

from glassworks.data.split_keys import SplitData


class ConversationData(SplitData):
    """Conversations that end with an answer: JSON lines in OpenAI's form, or tables with a question and its answer."""

    kind: ClassVar[str] = "conversations"
    messages: str = "messages"
    """The key of a line, or the column, that holds a list of messages with `role` and `content`; its `tools` beside."""
    prompt: str = "prompt"
    """The column of the question, in a table or in lines without messages."""
    answer: str = ""
    """The column of its answer; left out, `completion` or `answer`."""
    system: str = ""
    """What every conversation without a message of the system begins with."""
