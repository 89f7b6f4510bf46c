"""Words as people of sixteen languages know them, and words that together are the text, sign by sign."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from glassworks.data.text.baseline import words_of
from glassworks.families._text.tokens import learn_tokenizer
from glassworks.text.subject import explainable_words
from glassworks.text.words import cut_words, word_spans

WORDS = {
    "English": "a wonderful e-mail about C++ and C# for 3.50 dollars",
    "German": "schöne Größe für Müllers Mädchen",
    "French": "un café d'été très préféré",
    "Spanish": "mañana compraré más piñas",
    "Polish": "żółta łódź płynęła",
    "Turkish": "İstanbul'da çok güzel ürün",
    "Vietnamese": "sản phẩm rất tốt",
    "Russian": "доставка сегодня отличная ёжик",
    "Greek": "παράδοση σήμερα τέλεια",
    "Arabic": "التوصيل اليوم مُمْتَاز",
    "Hebrew": 'המשלוח היום מצוין בצה"ל',
    "Hindi": "सामान आज बहुत अच्छा दीन",
    "Korean": "배송이 오늘 아주 좋아요",
    "Chinese": "这个|商品|昨天|送到|包装",
    "Japanese": "とても|おいしい|ラーメン|で|した",
    "Thai": "สินค้า|ดี|มาก",
    "Lao": "ຂ້ອຍ|ຮັກ|ເຈົ້າ",
    "Khmer": "ខ្ញុំ|ស្រឡាញ់|អ្នក",
}
"""With | where nothing is written between two words."""


@pytest.mark.parametrize("language", WORDS)
def test_words_of_a_language_stay_whole(language: str) -> None:
    wanted = WORDS[language].replace("|", " ").split()
    text = WORDS[language].replace("|", "")
    assert [text[begin:end].strip() for begin, end in word_spans(text)] == wanted
    assert words_of(text) == wanted


def test_languages_are_mixed_within_a_text() -> None:
    text = "".join(each.replace("|", "") + "。" for each in WORDS.values())
    wanted = [word for each in WORDS.values() for word in [*each.replace("|", " ").split(), "。"]]
    assert words_of(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("good👍🏽bad👎", ["good", "👍🏽", "bad", "👎"]),
        ("👨\u200d👩\u200d👧\u200d👦 ok", ["👨\u200d👩\u200d👧\u200d👦 ", "ok"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("1\ufe0f\u20e3 go", ["1\ufe0f\u20e3 ", "go"]),
        ("e\u0301te\u0301 Mu\u0308ller", ["e\u0301te\u0301 ", "Mu\u0308ller"]),
        ("Beyoncé的歌", ["Beyoncé", "的", "歌"]),
        ("שלום 🙂 world", ["שלום ", "🙂 ", "world"]),
    ],
)
def test_what_people_see_as_one_sign_is_never_cut(text: str, wanted: list[str]) -> None:
    assert [text[begin:end] for begin, end in word_spans(text)] == wanted


@settings(deadline=None, max_examples=300)
@given(st.text(st.one_of(st.characters(), st.sampled_from("aé ü的の\u0301\u200d👍🏽🇩שदी\u0e33กั. \n")), max_size=40))
def test_words_together_are_the_text(text: str) -> None:
    text = text.encode("utf-16", "replace").decode("utf-16", "replace")
    assert "".join(cut_words(text)) == text
    spans = word_spans(text)
    assert "".join(text[begin:end] for begin, end in spans) == text
    assert [begin for begin, _ in spans[1:]] == [end for _, end in spans[:-1]]


def test_a_russian_text_of_260_words_has_260() -> None:
    assert len(explainable_words(" ".join(["доставка", "сегодня", "отличная", "заказ"] * 65))) == 260


@pytest.mark.parametrize("language", ["German", "Russian", "Arabic", "Thai", "Hindi", "Korean"])
def test_a_vocabulary_has_the_words_of_a_language(language: str) -> None:
    text = WORDS[language].replace("|", "")
    tokenizer = learn_tokenizer([text] * 5, 200, "words")
    tokens = tokenizer.encode(text, add_special_tokens=False).tokens
    wanted = [each for each in words_of(tokenizer.normalizer.normalize_str(text)) if len(each) <= 8]
    assert set(wanted) <= set(tokens)
