"""Of a conversation the assistant's tokens are learned, and nothing else: as transformers marks them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.language.test_tokenizer import byte_level

from glassworks.errors import InputError
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.examples import Example, examples_of
from glassworks.language.tokenizer import LanguageTokenizer

MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
EARLIER_OTHERWISE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief. 简短"},
    {"role": "user", "content": "Hi  there\n"},
    {"role": "assistant", "content": "\n Hello, 你好 <|im_end|>"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye!"},
]


@pytest.fixture(scope="module")
def tokenizer() -> LanguageTokenizer:
    return LanguageTokenizer(byte_level())


def learned(source: str, tokenizer: LanguageTokenizer, messages: list[dict[str, Any]]) -> list[Example]:
    return examples_of(ChatTemplate(source, tokenizer, {}), messages, (), (tokenizer.special["<|im_end|>"],))


def test_as_transformers_marks_them(tokenizer: LanguageTokenizer) -> None:
    from transformers import PreTrainedTokenizerFast

    chat = [{**message, "content": message["content"].replace("<|im_end|>", "")} for message in CHAT]
    theirs = PreTrainedTokenizerFast(tokenizer_object=byte_level(), chat_template=MARKED)  # type: ignore[no-untyped-call]
    expected: Any = theirs.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    (found,) = learned(MARKED, tokenizer, chat)
    size = len(found)
    assert found.ids.tolist() == expected["input_ids"][:size]
    assert found.learned.tolist() == [bool(each) for each in expected["assistant_masks"][:size]]
    assert not any(expected["assistant_masks"][size:])


def test_an_answer_is_learned_as_it_is_written(tokenizer: LanguageTokenizer) -> None:
    """Its ids follow those of the prompt, though it begins with a line end, and names a special token."""
    template = ChatTemplate(MARKED, tokenizer, {})
    (found,) = learned(MARKED, tokenizer, CHAT)
    prompt = template.ids(CHAT[:2])
    assert found.ids[: len(prompt)].tolist() == prompt
    assert not found.learned[: len(prompt)].any()
    end = tokenizer.special["<|im_end|>"]
    assert tokenizer.decode(found.ids[found.learned].tolist()) == "\n Hello, 你好 <|im_end|>Bye!"
    assert found.ids[found.learned].tolist().count(end) == 2
    assert found.ids[-1] == end


def test_answers_of_weight_0_are_not_learned(tokenizer: LanguageTokenizer) -> None:
    chat = [{**message, "weight": 0} if index == 2 else message for index, message in enumerate(CHAT)]
    (found,) = learned(MARKED, tokenizer, chat)
    assert tokenizer.decode(found.ids[found.learned].tolist()) == "Bye!"


def test_a_template_that_shows_earlier_turns_otherwise_gives_an_example_a_turn(tokenizer: LanguageTokenizer) -> None:
    first, second = learned(EARLIER_OTHERWISE, tokenizer, CHAT)
    assert tokenizer.decode(first.ids[first.learned].tolist()).endswith("Hello, 你好 <|im_end|>")
    assert tokenizer.decode(second.ids[second.learned].tolist()) == "<think>\n\n</think>\nBye!"


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        (CHAT[:2], "no message is the assistant's"),
        ([*CHAT[:2], {"role": "assistant", "content": "Hi", "weight": 0}], "no message is the assistant's"),
        ([*CHAT[:2], {"role": "assistant", "content": "Hi", "weight": 0.5}], "weight 0.5"),
        ([*CHAT[:2], {"role": "assistant", "content": "  "}], "empty answer"),
        (CHAT[2:], "answers nothing"),
    ],
)
def test_what_teaches_nothing_is_refused(chat: list[dict[str, Any]], said: str, tokenizer: LanguageTokenizer) -> None:
    with pytest.raises(InputError, match=said):
        learned(MARKED, tokenizer, chat)


def test_calls_that_a_template_does_not_show_are_not_learned_as_silence(tokenizer: LanguageTokenizer) -> None:
    call = {"type": "function", "function": {"name": "rain", "arguments": {"city": "Ulm"}}}
    chat: list[dict[str, Any]] = [*CHAT[:2], {"role": "assistant", "content": "", "tool_calls": [call]}]
    with pytest.raises(InputError, match="does not show calls of tools"):
        learned(MARKED, tokenizer, chat)
    showing = MARKED.replace("message['content'] + '<|im_end|>' }}{% endgen", CALLS)
    (found,) = learned(showing, tokenizer, chat)
    assert tokenizer.decode(found.ids[found.learned].tolist()) == '{"city": "Ulm"}'


CALLS = (
    "message['content'] }}{% for call in message['tool_calls'] or [] %}"
    "{{ call['function']['arguments'] | tojson }}{% endfor %}{{ '<|im_end|>' }}{% endgen"
)
