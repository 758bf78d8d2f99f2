"""Tokenizers: the bytes of the tokens of a text are the bytes of the text, for every tokenizer and every text.

All vocabularies are made here; each tokenizer of ``transformers`` has the pipeline of a well-known family.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from codegym.tokenizers import (
    ByteTokenizer,
    Tokenizer,
    TransformersTokenizer,
    VocabularyTokenizer,
    load_tokenizer,
    train_tokenizer,
)

PROGRAM = "def f(x):\n    total = 0\n    for y in x:\n        total += y  # grüße\n    return total\n"
EXACTLY_ONCE = [
    "",
    " x",
    "  two  blanks  ",
    "\tif x:\r\n\t\treturn\r",
    "\x00\x0b\x0c\u2028\ufeff",
    "🙂 e\u0301 é ﬁ Ａ",
    "▁x ▁▁ <0x0A>",
    "<s></s><|endoftext|><|chat|>",
    "a<fim> b <keep> c",
]


def spell(tokenizer: Tokenizer, ids: Sequence[int]) -> bytes:
    return b"".join(tokenizer.token_bytes[id] for id in ids)


def wrap(backend: Backend, **names: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{"eos_token": "</s>", **names})


def byte_level(normalizer: object = None, prefix: bool = False) -> Backend:
    backend = Backend(models.BPE())
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = ["</s>", "<|chat|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([PROGRAM] * 4, trainer)
    return backend


def pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A SentencePiece vocabulary with all byte tokens, and its merges."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.train_from_iterator([PROGRAM] * 4, trainers.BpeTrainer(vocab_size=80, show_progress=False))
    model = json.loads(backend.to_str())["model"]
    learnt = sorted(model["vocab"], key=model["vocab"].get)
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learnt]
    return {name: id for id, name in enumerate(names)}, [tuple(pair) for pair in model["merges"]]


def sentencepiece() -> Backend:
    vocabulary, merges = pieces()
    backend = Backend(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return backend


def with_steps(backend: Backend, *, normalizer: object = None, pre_tokenizer: object = None, strip: int = 0) -> Backend:
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizer
    end = [decoders.Strip(content=" ", left=strip)] if strip else []
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *end])
    return backend


def llama() -> Backend:
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return with_steps(sentencepiece(), normalizer=normalizer, strip=1)


def metaspace() -> Backend:
    pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=False)
    return with_steps(sentencepiece(), pre_tokenizer=pre_tokenizer, strip=1)


def gemma() -> Backend:
    """No dummy prefix; runs of blanks and a few words are added tokens."""
    backend = sentencepiece()
    backend.add_tokens([AddedToken("▁▁▁▁", normalized=False), AddedToken("\n\n", normalized=False), "<fim>"])
    split = pre_tokenizers.Split(" ", "merged_with_previous")
    return with_steps(backend, normalizer=normalizers.Replace(" ", "▁"), pre_tokenizer=split)


def unigram() -> Backend:
    vocabulary, _ = pieces()
    scores = [(piece, -float(id)) for piece, id in vocabulary.items()]
    backend = Backend(models.Unigram(scores, unk_id=0, byte_fallback=True))
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return with_steps(backend, pre_tokenizer=pre_tokenizers.Metaspace("▁", prepend_scheme="first"), strip=1)


def qwen() -> Backend:
    """NFC, a split by a pattern before the bytes, and added tokens with white space around them."""
    backend = byte_level(normalizers.NFC())
    split = pre_tokenizers.Split(Regex(r"\s+|\w+|[^\s\w]+"), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    backend.add_tokens([AddedToken("<keep>", lstrip=True, rstrip=True), "õ"])
    return backend


FAMILIES: dict[str, Callable[[], Backend]] = {
    "byte-level": byte_level,
    "prefix-space": lambda: byte_level(prefix=True),
    "qwen": qwen,
    "llama": llama,
    "metaspace": metaspace,
    "gemma": gemma,
    "unigram": unigram,
}
FAST = {name: TransformersTokenizer(wrap(make())) for name, make in FAMILIES.items()}
ALL: dict[str, Tokenizer] = {"bytes": ByteTokenizer(), **FAST}
every = pytest.mark.parametrize("tokenizer", ALL.values(), ids=ALL.keys())
every_fast = pytest.mark.parametrize("tokenizer", FAST.values(), ids=FAST.keys())
TEXTS = st.text(st.characters(codec="utf-8")) | st.text("▁ \t\r\nõe\u0301<0x0A>/s|chat", max_size=40)


def test_smallest_use() -> None:
    tokenizer = load_tokenizer("bytes")
    assert tokenizer.encode("é\n") == [0xC3, 0xA9, 0x0A]
    assert tokenizer.token_bytes[0x0A] == b"\n"
    assert (tokenizer.vocab_size, tokenizer.eos_token_id, tokenizer.token_bytes[256]) == (257, 256, b"")


@every
@pytest.mark.parametrize("text", [PROGRAM, *EXACTLY_ONCE])
def test_bytes_of_the_tokens_are_the_bytes_of_the_text(tokenizer: Tokenizer, text: str) -> None:
    assert spell(tokenizer, tokenizer.encode(text)) == text.encode()


@every
def test_law_holds_for_any_text(tokenizer: Tokenizer) -> None:
    @given(TEXTS)
    def check(text: str) -> None:
        assert spell(tokenizer, tokenizer.encode(text)) == text.encode()

    check()


@every
def test_ids_are_those_of_the_vocabulary_and_specials_have_no_bytes(tokenizer: Tokenizer) -> None:
    assert isinstance(tokenizer, Tokenizer)
    assert len(tokenizer.token_bytes) == tokenizer.vocab_size
    assert tokenizer.token_bytes[tokenizer.eos_token_id] == b""
    assert tokenizer.eos_token_id not in tokenizer.encode("</s> <|endoftext|>")


@every
def test_lone_surrogate_is_refused_with_its_position(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="position 2 .* lone surrogate"):
        tokenizer.encode("ab\ud800c")


@every
def test_equal_after_pickling_and_hashable(tokenizer: Tokenizer) -> None:
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy == tokenizer and {copy: 1}[tokenizer] == 1
    assert copy.encode("</s>" + PROGRAM) == tokenizer.encode("</s>" + PROGRAM)  # nothing special after the journey


def test_different_tokenizers_are_not_equal() -> None:
    assert len({*ALL.values(), VocabularyTokenizer("ab"), VocabularyTokenizer("ba")}) == len(ALL) + 2


@pytest.mark.parametrize("name", FAST)
def test_sampled_ids_spell_what_decode_shows(name: str) -> None:
    tokenizer, original = FAST[name], wrap(FAMILIES[name]())
    dummy = " " if "Strip" in original.backend_tokenizer.to_str() else ""  # decode takes the dummy prefix off
    whole = [
        [id] for id, piece in enumerate(tokenizer.token_bytes) if piece.decode("utf-8", "ignore").encode() == piece
    ]
    whole.remove([tokenizer.token_bytes.index("õ".encode())]) if name == "qwen" else None  # decode shows it as a byte

    @given(
        st.lists(
            st.sampled_from(whole)
            | st.text(st.characters(codec="utf-8", exclude_characters="õ▁")).map(tokenizer.encode)
        )
    )
    def check(parts: list[list[int]]) -> None:
        ids = [id for part in parts for id in part]
        shown = original.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert spell(tokenizer, ids).decode().removeprefix(dummy) == shown

    check()


def test_half_a_character_has_its_bytes() -> None:
    tokenizer = FAST["llama"]
    ids = [tokenizer.token_bytes.index(bytes([byte])) for byte in "🙂".encode()]
    assert spell(tokenizer, ids[:2]) == b"\xf0\x9f"
    assert spell(tokenizer, ids).decode() == "🙂"


@every_fast
def test_tokens_are_those_of_the_original_inside_a_text(tokenizer: TransformersTokenizer) -> None:
    # after the first word, where the original may put a blank, both agree: nothing falls back to single bytes
    original = wrap(FAMILIES[next(name for name, other in FAST.items() if other is tokenizer)]())
    ids = original.encode("x\n" + PROGRAM, add_special_tokens=False)
    ours = tokenizer.encode("x\n" + PROGRAM)
    assert ours[2:] == ids[-len(ours) + 2 :]
    assert len(ours) < len(PROGRAM) * 0.6


def test_no_blank_before_the_first_word_but_one_in_a_token_counts() -> None:
    tokenizer = FAST["llama"]
    assert spell(tokenizer, tokenizer.encode("def")) == b"def"
    blank_return = tokenizer.token_bytes.index(b" return")
    assert spell(tokenizer, [blank_return]) == b" return"


def test_added_tokens_that_are_not_special_are_text() -> None:
    tokenizer = FAST["gemma"]
    fim = tokenizer.token_bytes.index(b"<fim>")
    assert tokenizer.encode("a<fim>") == [*tokenizer.encode("a"), fim]
    assert tokenizer.token_bytes[fim - 2] == b"    "  # written with the sign for a blank
    assert tokenizer.encode("\n\n") == [fim - 1]


def test_ids_without_a_token_have_no_bytes() -> None:
    vocabulary, merges = pieces()
    vocabulary = {piece: id if id < 200 else id + 7 for piece, id in vocabulary.items()}
    backend = Backend(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer = TransformersTokenizer(wrap(with_steps(backend, normalizer=normalizers.Replace(" ", "▁"))))
    assert tokenizer.token_bytes[200:207] == (b"",) * 7
    assert tokenizer.vocab_size == len(vocabulary) + 7
    assert spell(tokenizer, tokenizer.encode(PROGRAM)) == PROGRAM.encode()


def changed(**parts: object) -> Backend:
    backend = byte_level()
    for name, part in parts.items():
        setattr(backend, name, part)
    return backend


def wordpiece() -> Backend:
    backend = Backend(models.WordPiece({"[UNK]": 0, "</s>": 1, "def": 2, "##f": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return backend


def unknown_for_rare() -> Backend:
    vocabulary, _ = pieces()
    backend = Backend(models.Unigram([(piece, -float(id)) for piece, id in vocabulary.items()], unk_id=0))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return backend


def small_alphabet() -> Backend:
    backend = changed()
    backend.train_from_iterator(["abc"], trainers.BpeTrainer(special_tokens=["</s>"], show_progress=False))
    return backend


LOSSY = {
    "wordpiece": (wordpiece, "neither byte-level nor SentencePiece with byte fallback"),
    "unigram without byte fallback": (unknown_for_rare, "neither byte-level nor SentencePiece with byte fallback"),
    "lowercase": (lambda: changed(normalizer=normalizers.Lowercase()), r"not keep the exact text.*.def F.*def f\(x\)"),
    "nfkc": (lambda: changed(normalizer=normalizers.NFKC()), "does not keep the exact text"),
    "strip": (lambda: changed(normalizer=normalizers.Strip()), "does not keep the exact text"),
    "one blank for many": (
        lambda: changed(normalizer=normalizers.Replace(Regex(" {2,}"), " ")),
        "does not keep the exact text",
    ),
    "bytes missing": (small_alphabet, "no token for the byte 0x00 alone"),
}


@pytest.mark.parametrize(("make", "message"), LOSSY.values(), ids=LOSSY.keys())
def test_tokenizer_that_loses_text_is_refused(make: Callable[[], Backend], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformersTokenizer(wrap(make()))


def test_end_of_program_must_be_named() -> None:
    nameless = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    with pytest.raises(ValueError, match='names no end-of-sequence token.*eos_token="'):
        TransformersTokenizer(nameless)
    with pytest.raises(ValueError, match="has no token '<end>'"):
        TransformersTokenizer(nameless, eos_token="<end>")
    chosen = TransformersTokenizer(nameless, eos_token="<|chat|>")
    assert nameless.convert_ids_to_tokens(chosen.eos_token_id) == "<|chat|>"
    assert chosen != TransformersTokenizer(nameless, eos_token="</s>")


def test_an_ordinary_token_can_end_a_program_and_is_no_text_then() -> None:
    tokenizer = TransformersTokenizer(wrap(gemma()), eos_token="<fim>")
    assert tokenizer.token_bytes[tokenizer.eos_token_id] == b""
    assert tokenizer.eos_token_id not in tokenizer.encode("a<fim>")
    assert spell(tokenizer, tokenizer.encode("a<fim>")) == b"a<fim>"


def test_trained_tokenizer_is_read_by_transformers_too(tmp_path: Path) -> None:
    trained = train_tokenizer([PROGRAM] * 4, 290, tmp_path / "new" / "tokenizer")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "new" / "tokenizer")
    assert theirs.encode(PROGRAM) == trained.encode(PROGRAM)
    assert (theirs.eos_token, theirs.eos_token_id) == ("<|endoftext|>", trained.eos_token_id)
    assert len(theirs) == trained.vocab_size == 290
    assert load_tokenizer(str(tmp_path / "new" / "tokenizer")) == load_tokenizer(theirs) == trained
    assert train_tokenizer([PROGRAM] * 4, 290, tmp_path / "again") == trained


def test_trained_tokenizer_needs_room_for_all_bytes(tmp_path: Path) -> None:
    assert train_tokenizer([], 257, tmp_path, eos_token="<end>").vocab_size == 257
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer([], 256, tmp_path)


def test_vocabulary_takes_the_longest_token_that_fits() -> None:
    tokenizer = VocabularyTokenizer(["a", "ab", "abc", b"\xc3", b"\xa9"])
    assert tokenizer.encode("abcababé") == [2, 1, 1, 3, 4]
    assert (tokenizer.vocab_size, tokenizer.eos_token_id) == (6, 5)


@given(st.lists(st.text("ab\n é", min_size=1), min_size=1, unique=True), st.data())
def test_vocabulary_spells_what_it_takes(tokens: list[str], data: st.DataObject) -> None:
    tokenizer = VocabularyTokenizer(tokens)
    text = "".join(data.draw(st.lists(st.sampled_from(tokens))))
    try:
        ids = tokenizer.encode(text)
    except ValueError as error:
        assert "no token fits at position" in str(error)  # the longest token was the wrong one
    else:
        assert spell(tokenizer, ids) == text.encode()


def test_vocabulary_names_the_first_position_that_no_token_covers() -> None:
    with pytest.raises(ValueError, match="position 2 of the text: 'y = 1'"):
        VocabularyTokenizer(["é", "x", " = 1"]).encode("éxy = 1")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [([], "at least one"), (["a", ""], "token 1 is empty"), (["a", "b", b"a"], "token 2 is b'a', which is token 0")],
)
def test_vocabulary_with_useless_tokens_is_refused(tokens: list[str | bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VocabularyTokenizer(tokens)


def test_load_tokenizer_takes_what_users_have() -> None:
    assert load_tokenizer() == load_tokenizer("bytes") == ByteTokenizer()
    assert load_tokenizer(("a", "b")) == VocabularyTokenizer(["a", "b"])
    assert load_tokenizer(wrap(llama())) == FAST["llama"]
    own = ByteTokenizer()
    assert load_tokenizer(own) is own


def test_slow_tokenizer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = wrap(llama())
    monkeypatch.setattr(type(slow), "is_fast", False)
    with pytest.raises(ValueError, match="not a fast tokenizer"):
        load_tokenizer(slow)
