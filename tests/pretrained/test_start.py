"""A published model, or a run, is trained on: its configuration, tokenizer and parameters are where the run begins."""

import json

import numpy as np
import pytest
from runs import ENCODER, MODERN, TEXT, a_run, byte_pairs
from test_gguf import little_arrays, little_llama, save

from minigpt import Transformer, TransformerConfig
from minigpt.cli import main
from minigpt.pretrained import open_model, save_pretrained
from minigpt.text.word_piece import WordPieceTokenizer

STEPS = ["--steps", "3", "--batch", "2", "--workers", "1", "--json"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "fox", "over", "##s", "a", "b", "13", "it", "."]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT * 9, encoding="utf-8")
    return str(path)


def a_folder(path):
    """A llama whose vocabulary is padded past its tokenizer, as transformers would have it."""
    tokenizer = byte_pairs()
    sizes = {"vocabulary_size": tokenizer.vocabulary_size + 20, "context": 32, "width": 16, "layers": 2, "heads": 4}
    model = Transformer(TransformerConfig(**sizes, **MODERN))
    params = model.init(np.random.default_rng(0))
    save_pretrained(path, model, params, "llama", "LlamaForCausalLM", tokenizer=tokenizer)
    return path


def a_gguf(tmp_path):
    return save(tmp_path, little_llama(arrays={"token_embd.weight": little_arrays(300)["token_embd.weight"]}))


MODELS = {
    "a run": lambda tmp_path: a_run(tmp_path / "first", **MODERN),
    "a folder": lambda tmp_path: a_folder(tmp_path / "folder"),
    "a GGUF file": a_gguf,
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_is_trained_on(kind, tmp_path, text, capsys):
    start, out = MODELS[kind](tmp_path), tmp_path / "out"
    assert main(["train", text, "--start", str(start), *STEPS, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 3
    first, then = open_model(start), open_model(out, checkpoint="last")
    assert then.model.config == first.model.config
    assert then.tokenizer.encode(TEXT).tolist() == first.tokenizer.encode(TEXT).tolist()
    moved = np.abs(then.params.flat - first.params.flat)
    assert 0 < moved.max() < 1e-3, "three small steps from where it was"
    assert then.run.start["name"] == str(start) and not then.run.start["fresh"]
    assert main(["generate", str(out), "--prompt", "The", "--max-new-tokens", "3"]) == 0
    assert main(["train", "--resume", "--out", str(out), "--steps", "5", "--json"]) == 0


def test_an_encoder_without_a_head_is_given_one(tmp_path, text, capsys):
    tokenizer = WordPieceTokenizer(WORDS)
    sizes = {"vocabulary_size": len(WORDS), "context": 16, "width": 16, "layers": 1, "heads": 2, "activation": "gelu"}
    model = Transformer(TransformerConfig(**{**sizes, **ENCODER, "head": "none"}))
    params = model.init(np.random.default_rng(0))
    save_pretrained(tmp_path / "bert", model, params, "bert", "BertModel", tokenizer=tokenizer)
    words = ["train", text, "--objective", "masked", "--start", str(tmp_path / "bert"), *STEPS]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    opened = open_model(tmp_path / "out", checkpoint="last")
    assert opened.model.config.head == "masked" and "masked_head.dense.weight" in opened.run.start["fresh"]
    moved = np.abs(opened.params["token_embedding.weight"] - params["token_embedding.weight"])
    assert 0 < moved.max() < 1e-3
    assert main(["embed", str(tmp_path / "out"), text]) == 0
    assert main(["export", str(tmp_path / "out"), str(tmp_path / "again")]) == 0
    assert "BertForMaskedLM" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "says"), [
    (["--preset", "small"], "so --preset has no effect; leave it out"),
    (["--tokenizer", "characters"], "so --tokenizer has no effect"),
    (["--vocabulary", "300"], "so --vocabulary has no effect"),
    (["--context", "999"], "was made for 32 tokens, not 999; choose fewer"),
    (["--objective", "masked"], ""),
    (["--architecture", "encoder"], "which cannot be changed"),
])  # fmt: skip
def test_what_does_not_go_with_a_start_is_one_sentence(words, says, tmp_path, text, capsys):
    start = a_folder(tmp_path / "folder")
    assert main(["train", text, "--start", str(start), *STEPS, "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert not (tmp_path / "out" / "run.json").exists()
