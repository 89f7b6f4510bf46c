"""Parts of a prompt are all that somebody wrote, whatever stands in it."""

from __future__ import annotations

from hypothesis import given, strategies as st

from glassworks.language.attribution.asking import conversation
from glassworks.language.attribution.parts import KINDS, Kind, Question, merged, parts_of

NASTY = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(list(" \n\r\t.!?。！？，“”e\u0301\u200d👩🏽🇩🇪กำ\ufeff\x00今天天气好𠀀")),
    ),
    max_size=60,
)


@given(st.lists(NASTY, min_size=1, max_size=4), st.sampled_from(KINDS), st.integers(1, 9))
def test_parts_are_every_character_in_its_message(texts: list[str], kind: Kind, most: int) -> None:
    plain = Question(text=texts[0])
    talk = Question(messages=[{"role": "user", "content": text} for text in texts])
    for question, contents in ((plain, {None: texts[0]}), (talk, dict(enumerate(texts)))):
        parts = parts_of(question, kind)
        for found in (parts, merged(parts, most) if parts else []):
            assert all(part.text for part in found)
            for message, content in contents.items():
                mine = [part for part in found if part.message == message]
                assert [part.start for part in mine] == [0, *(part.end for part in mine)][: len(mine)]
                assert "".join(part.text for part in mine) == content
                assert all(content[part.start : part.end] == part.text for part in mine)
        if len(parts) > most:
            assert len(merged(parts, most)) <= max(most, 2 * len(contents))
    assert talk.having(parts_of(talk, kind))[1]["messages"] == talk.messages
    assert plain.having(parts_of(plain, kind))[0] == plain.text


@given(NASTY, st.data())
def test_passages_and_what_stands_between_them_are_the_text(text: str, data: st.DataObject) -> None:
    bounds = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    passages = [pair for pair in zip(bounds[::2], bounds[1::2], strict=False) if pair[0] < pair[1]]
    parts = parts_of(Question(text=text), "passages", passages)
    assert "".join(part.text for part in parts) == text
    assert {(part.start, part.end) for part in parts} >= set(passages)


def test_sentences_in_two_languages() -> None:
    text = "It rains. 今天天气好。明天呢？\n\nYes!  "
    assert [part.text for part in parts_of(Question(text=text), "sentences")] == [
        "It rains. ",
        "今天天气好。",
        "明天呢？\n\n",
        "Yes!  ",
    ]


def test_a_conversation_that_ends_with_an_answer_is_asked_about_it() -> None:
    asked = conversation('{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}')
    assert asked == {"messages": [{"role": "user", "content": "Hi"}], "answer": "Ho"}
    for text in ("", "{", "[1]", "{}", '{"messages": 1}', "[" * 9999, "Hello"):
        assert conversation(text) == {}
