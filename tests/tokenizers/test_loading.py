"""What ``tokenizer=`` takes: names, paths, ``module:object``, and tokenizers of other packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend

from codegym.tokenizers import (
    ByteTokenizer,
    TransformersTokenizer,
    VocabularyTokenizer,
    load_tokenizer,
    resolve_model,
    train_tokenizer,
)

PROGRAM = "def f(x):\n    return x\n"


def test_a_tokenizer_is_named() -> None:
    assert load_tokenizer("bytes") == ByteTokenizer()


def make_own() -> VocabularyTokenizer:
    return VocabularyTokenizer(["a", "b"])


OWN = make_own()


@pytest.mark.parametrize("name", ["make_own", "OWN"])
def test_a_tokenizer_of_somebody_else_is_taken_by_its_path(name: str) -> None:
    assert load_tokenizer(f"{__name__}:{name}") == OWN
    assert load_tokenizer("codegym.tokenizers:ByteTokenizer") == ByteTokenizer()


def make_backend(folder: Path, *special: str) -> Backend:
    """A bare byte-level tokenizer with these special tokens."""
    train_tokenizer([PROGRAM] * 4, 300, folder)
    definition = json.loads((folder / "tokenizer.json").read_text())
    backend = Backend.from_str(json.dumps(definition | {"added_tokens": []}))
    backend.add_special_tokens([*special])
    return backend


@pytest.mark.parametrize("special", [["<stop>"], ["<pad>", "</s>"], ["<|im_end|>", "</s>"]])
def test_a_tokenizer_of_the_package_tokenizers_is_taken(tmp_path: Path, special: list[str]) -> None:
    backend = make_backend(tmp_path, *special)
    tokenizer = load_tokenizer(backend)
    assert isinstance(tokenizer, TransformersTokenizer)
    assert tokenizer.eos_token_id == backend.token_to_id("</s>" if "</s>" in special else "<stop>")
    assert b"".join(tokenizer.token_bytes[id] for id in tokenizer.encode(PROGRAM)) == PROGRAM.encode()


@pytest.mark.parametrize("special", [[], ["<stop>", "<pad>"]])
def test_the_end_of_a_bare_tokenizer_may_have_to_be_named(tmp_path: Path, special: list[str]) -> None:
    backend = make_backend(tmp_path, *special)
    with pytest.raises(ValueError, match="names no end-of-sequence token"):
        load_tokenizer(backend)
    if special:
        assert TransformersTokenizer(backend, eos_token="<stop>").eos_token_id == backend.token_to_id("<stop>")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("byte", "got 'byte' .did you mean 'bytes'"),
        ("./gone", "no such tokenizer: got './gone'; expected a folder that exists, or a Hub id"),
        ("nope", "no such tokenizer: got 'nope'"),
        ("runs/ppo/policy", "no such tokenizer: got 'runs/ppo/policy'"),
        ("~/gone", "no such tokenizer"),
        (Path("owner/name"), "no such tokenizer: got 'owner/name'"),
        ("json:dumbs", "no object 'dumbs'"),
    ],
)
def test_wrong_name_or_path_does_not_go_to_the_hub(value: str | Path, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        load_tokenizer(value)


def test_a_model_is_a_folder_or_an_id_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "policy").mkdir(parents=True)
    assert resolve_model("runs/policy", "policy") == "runs/policy"
    assert resolve_model("Qwen/Qwen2.5-Coder-0.5B", "policy") == "Qwen/Qwen2.5-Coder-0.5B"
    with pytest.raises(ValueError, match="no such policy: got 'runs/polcy'"):  # runs is a folder here, so not an owner
        resolve_model("runs/polcy", "policy")


@pytest.mark.parametrize("value", [3, {}, [1, 2], ByteTokenizer], ids=lambda value: type(value).__name__)
def test_load_tokenizer_says_what_came_and_what_is_wanted(value: object) -> None:
    with pytest.raises(TypeError, match='no tokenizer can be made of .*; expected "bytes", a list of token strings'):
        load_tokenizer(value)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)no tokenizer can be loaded from .*expected a folder with"):
        load_tokenizer(tmp_path)
