"""Text to ids and back: exact to the byte, whatever the chunks; special tokens in users' text stay text."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.decoders import ByteFallback, Fuse, Replace, Strip

from glassworks.errors import BundleError, InputError
from glassworks.language.tokenizer import LanguageTokenizer, StopMatcher

TEXTS = (
    "The quick brown fox",
    " starts and ends with spaces ",
    "质检员发现这批零件有划痕。",
    "emoji 👩‍👩‍👧‍👦 and 🏳️‍🌈, flags 🇨🇳",
    "tabs\tand\nlines\r\n",
    "e\u0301 and \u00e9, \u200b and \ufeff",
    "",
)
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]


def byte_level() -> Tokenizer:
    """As GPT-2, SmolLM and Qwen have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def sentence_piece() -> Tokenizer:
    """As Llama 2 has it: unknown characters as bytes, a space before the first word."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
    for letter in "\u2581abcdefghijklmnopqrstuvwxyzT":
        vocabulary[letter] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([Replace("\u2581", " "), ByteFallback(), Fuse(), Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


@pytest.fixture(scope="module", params=[byte_level, sentence_piece])
def tokenizer(request: pytest.FixtureRequest) -> LanguageTokenizer:
    return LanguageTokenizer(request.param())


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_whole(tokenizer: LanguageTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def chunks(ids: Sequence[int], seed: int) -> list[Sequence[int]]:
    """The ids in parts of 1 to 4."""
    order, parts, start = random.Random(seed), list[Sequence[int]](), 0
    while start < len(ids):
        end = start + order.randint(1, 4)
        parts.append(ids[start:end])
        start = end
    return parts


@pytest.mark.parametrize("seed", range(5))
def test_any_chunks_read_as_the_whole_and_no_character_is_broken(tokenizer: LanguageTokenizer, seed: int) -> None:
    text = "".join(TEXTS) * 3
    decoder = tokenizer.decoder()
    parts = [decoder.feed(each) for each in chunks(tokenizer.encode(text), seed)]
    assert not any("\ufffd" in part for part in parts)
    assert "".join(parts) + decoder.finish() == text


def test_broken_bytes_never_end_an_answer(tokenizer: LanguageTokenizer) -> None:
    ids = tokenizer.encode("é零")
    assert tokenizer.decode(ids[1:-1]).count("\ufffd") >= 1
    assert tokenizer.decode([*ids[:-1], *tokenizer.encode("ok")]).endswith("ok")


def test_random_tokens_read_as_the_library_reads_them() -> None:
    plain = byte_level()
    ours, order = LanguageTokenizer(byte_level()), random.Random(0)
    for _ in range(200):
        ids = [order.randrange(len(SPECIAL), 330) for _ in range(order.randint(1, 12))]
        assert ours.decode(ids) == plain.decode(ids)


def test_special_tokens_in_a_text_stay_text() -> None:
    tokenizer = LanguageTokenizer(byte_level())
    text = "a<|im_end|>b"
    assert tokenizer.special_ids.isdisjoint(tokenizer.encode(text))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.with_special(text)[1] == tokenizer.special["<|im_end|>"]
    assert tokenizer.decode(tokenizer.with_special(text)) == "ab"


def test_a_prompt_begins_as_the_model_wants_it() -> None:
    tokenizer = LanguageTokenizer(sentence_piece())
    assert tokenizer.prompt("ab") == [1, *tokenizer.encode("ab")]


def test_half_of_a_pair_and_numbers_that_are_no_tokens_are_refused(tokenizer: LanguageTokenizer) -> None:
    with pytest.raises(InputError, match="character 1 is half of a surrogate pair"):
        tokenizer.encode("a\ud83d")
    for number in (-1, tokenizer.size, 2**31):
        with pytest.raises(InputError, match="is no token"):
            tokenizer.bytes_of(number)


def test_a_tokenizer_without_bytes_is_refused() -> None:
    plain = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    with pytest.raises(BundleError, match="works on bytes"):
        LanguageTokenizer(plain).bytes_of(0)


@pytest.mark.parametrize(
    ("stops", "text", "shown", "stopped"),
    [
        (["\n\n"], "one\ntwo\n\nthree", "one\ntwo", "\n\n"),
        (["</think>"], "a </thin b </think> c", "a </thin b ", "</think>"),
        (["b", "ab"], "xxab", "xx", "ab"),
        (["abc", "bd"], "abd", "a", "bd"),
        (["aab"], "aaab", "a", "aab"),
        (["zz"], "ends with z", "ends with z", ""),
        ([""], "no stop", "no stop", ""),
        (["。"], "好。坏", "好", "。"),
    ],
)
def test_a_stop_string_ends_the_text_whatever_the_chunks(stops: list[str], text: str, shown: str, stopped: str) -> None:
    for seed in range(20):
        matcher, order, parts, start = StopMatcher(stops), random.Random(seed), list[str](), 0
        while start < len(text) and not matcher.stopped:
            end = start + order.randint(1, 3)
            parts.append(matcher.feed(text[start:end]))
            start = end
        assert ("".join(parts) + matcher.finish(), matcher.stopped) == (shown, stopped)


def test_only_a_proper_beginning_is_held_back() -> None:
    matcher = StopMatcher(["STOP"])
    assert [matcher.feed(part) for part in ("ab", "S", "T", "x", "ST")] == ["ab", "", "", "STx", ""]
    assert matcher.finish() == "ST"
