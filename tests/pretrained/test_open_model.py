"""Every command takes every model, wherever it comes from; what a model cannot do is one sentence."""

import json

import numpy as np
import pytest
from runs import BOTH, ENCODER, MODERN, TEXT, a_run, byte_pairs

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.cli import main
from minigpt.infer import GREEDY, beam_search, generate, generate_text
from minigpt.pretrained import open_model, save_pretrained

KINDS = {"decoder": MODERN, "encoder": ENCODER, "both": BOTH}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Runs of three architectures, and each as a folder in the Hugging Face layout."""
    root = tmp_path_factory.mktemp("models")
    for name, choices in KINDS.items():
        a_run(root / name, **choices)
        assert main(["export", str(root / name), str(root / f"{name}-folder")]) == 0
    return root


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_and_its_folder_are_one_type_with_one_model(models, kind):
    run, folder = open_model(models / kind), open_model(models / f"{kind}-folder")
    assert type(run) is type(folder) and run.run.path == models / kind and folder.run is None
    assert np.array_equal(run.params.flat, folder.params.flat)
    assert len(run.training_tokens()) and folder.training_tokens() is None
    assert run.name == str(models / kind)
    double = open_model(models / kind, dtype=np.float64).params.flat
    assert double.dtype == np.float64 and np.array_equal(double.astype(np.float32), run.params.flat)
    assert not np.array_equal(open_model(models / kind, checkpoint="last").params.flat, run.params.flat)


@pytest.mark.parametrize("suffix", ["", "-folder"])
def test_commands_take_a_run_and_a_folder_alike(models, text, suffix, capsys):
    assert main(["generate", str(models / f"decoder{suffix}"), "--prompt", "The", "--max-new-tokens", "9"]) == 0
    assert capsys.readouterr().out.startswith("The")
    assert main(["generate", str(models / f"both{suffix}"), "--prompt", "The quick", "--max-new-tokens", "9"]) == 0
    assert not capsys.readouterr().out.startswith("The quick")
    assert main(["embed", str(models / f"encoder{suffix}"), text, "--json"]) == 0
    assert np.allclose(np.linalg.norm(json.loads(capsys.readouterr().out)["embeddings"], axis=1), 1)
    assert main(["evaluate", str(models / f"decoder{suffix}"), text, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    baselines = {"uniform", "gzip", "bz2", "xz"} | (set() if suffix else {"unigram", "bigram", "xz primed"})
    assert set(found["baseline_bits_per_byte"]) == baselines


def test_a_run_and_its_folder_give_the_same_answers(models, tmp_path, text, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("The quick brown fox\nlazy dogs\nnaïve café\n", encoding="utf-8")
    answers = {}
    for suffix in ("", "-folder"):
        main(["generate", str(models / f"decoder{suffix}"), "--prompt", "The", "--max-new-tokens", "9"])
        main(["generate", str(models / f"both{suffix}"), "--prompt", "The fox", "--max-new-tokens", "9"])
        main(["embed", str(models / f"encoder{suffix}"), str(lines)])
        answers[suffix] = capsys.readouterr().out
        main(["evaluate", str(models / f"decoder{suffix}"), text, "--json"])
        answers[suffix] += str(json.loads(capsys.readouterr().out)["nats_per_token"])
    assert answers[""] == answers["-folder"]


@pytest.mark.parametrize(("words", "says"), [
    (["generate", "encoder", "--prompt", "x"], "an encoder cannot write"),
    (["generate", "decoder", "--beams", "2", "--top-k", "3"], "so --top-k has no effect"),
    (["generate", "both", "--prompt", "x", "--stop", "y"], "--beams and --stop are for models that continue a text"),
    (["generate", "both"], "the text is empty"),
    (["generate", "both", "--prompt", "x", "--draft", "prompt"], "drafts are for models that continue a text"),
    (["generate", "decoder", "--draft", "early:9"], "blocks is no shorter way"),
    (["generate", "decoder", "--draft", "early:one"], "does not say after how many blocks"),
    (["generate", "decoder", "--draft-tokens", "3"], "--draft-tokens has no effect without --draft"),
    (["generate", "decoder", "--draft", "prompt", "--beams", "2"], "--beams looks at many texts at once"),
    (["generate", "decoder", "--draft", "BOTH"], "drafts are for models that continue a text"),
    (["evaluate", "encoder", "TEXT"], "an encoder cannot write"),
    (["evaluate", "both", "TEXT"], "an encoder-decoder says how probable a text is after another one"),
    (["embed", "decoder", "LINES"], "a decoder has no sentence vectors; compare sentences with an encoder, such as"),
    (["embed", "both", "LINES"], "an encoder-decoder has no sentence vectors"),
    (["chat", "decoder", "--say", "hi"], "it was not trained to chat"),
    (["chat", "encoder", "--say", "hi"], "an encoder cannot write"),
    (["generate", "."], "it has no run.json, as `minigpt train` writes, and no config.json"),
    (["generate", "gone"], "is neither a folder, a .gguf file nor one of smollm2, minilm, g2p"),
])  # fmt: skip
def test_what_a_model_cannot_do_is_one_sentence(models, tmp_path, text, words, says, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("one\ntwo\n", encoding="utf-8")
    named = {"TEXT": text, "LINES": str(lines), "BOTH": str(models / "both")}
    assert main([words[0], str(models / words[1]), *(named.get(word, word) for word in words[2:])]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_a_model_without_a_tokenizer_or_a_language_head_says_so(tmp_path, text, capsys):
    config = TransformerConfig(vocabulary_size=31, context=8, width=8, layers=1, heads=2)
    model = Transformer(config)
    save_pretrained(tmp_path / "a", model, model.init(np.random.default_rng(0)), "gpt2", "GPT2LMHeadModel")
    classes = Transformer(TransformerConfig(**{**config.to_dict(), "head": "token"}))
    params = classes.init(np.random.default_rng(0))
    save_pretrained(tmp_path / "b", classes, params, "gpt2", "GPT2ForTokenClassification", tokenizer=None)
    for words in (["generate", "--prompt", "x"], ["evaluate", text]):
        assert main([words[0], str(tmp_path / "a"), *words[1:]]) == 2
        assert "this model came without a tokenizer" in capsys.readouterr().err
        assert main([words[0], str(tmp_path / "b"), *words[1:]]) == 2
        assert "this model's head is 'token', so it cannot write" in capsys.readouterr().err


def test_ids_past_the_tokenizer_are_never_written(tmp_path, capsys):
    tokenizer = byte_pairs()
    config = {"vocabulary_size": tokenizer.vocabulary_size + 40, "context": 24, "width": 16, "layers": 1, "heads": 2}
    model = Transformer(TransformerConfig(**config, init_std=0.3, tied=False))
    params = model.init(np.random.default_rng(0))
    params["head.weight"][:, tokenizer.vocabulary_size :] += 9 * np.sign(params["head.weight"][:, -1:])
    save_pretrained(tmp_path / "padded", model, params, "gpt2", "GPT2LMHeadModel", tokenizer=tokenizer)
    opened = open_model(tmp_path / "padded")
    prompt = tokenizer.encode("The quick")
    padded = list(generate(opened.model, opened.params, prompt, 8, sampling=GREEDY))
    assert max(padded) >= tokenizer.vocabulary_size, "the padding would be written"
    text = "".join(generate_text(opened.model, opened.params, opened.tokenizer, "The quick", 8, sampling=GREEDY))
    assert text
    best = beam_search(opened.model, opened.params, prompt, 8, vocabulary_size=tokenizer.vocabulary_size)[0]
    assert max(best.tokens) < tokenizer.vocabulary_size
    for words in (["--temperature", "0"], ["--temperature", "3"], ["--beams", "2"]):
        assert main(["generate", str(tmp_path / "padded"), "--prompt", "The", "--max-new-tokens", "9", *words]) == 0


def test_beams_end_before_a_stop_string(models, capsys):
    words = ["generate", str(models / "decoder"), "--prompt", "The", "--max-new-tokens", "9", "--beams", "2"]
    assert main(words) == 0
    whole = capsys.readouterr().out[3:-1]
    middle = whole[len(whole) // 2]
    assert main([*words, "--stop", middle]) == 0
    assert capsys.readouterr().out[3:-1] == whole[: whole.index(middle)]


def test_the_package_offers_it(models):
    import minigpt

    assert minigpt.open_model is open_model
    with pytest.raises(AttributeError, match="no attribute 'opened_model'"):
        minigpt.opened_model  # noqa: B018


def test_only_dtypes_that_can_compute(models):
    with pytest.raises(UserError, match="choose float32 or float64"):
        open_model(models / "decoder", dtype=np.float16)


def test_a_draft_changes_the_calls_and_not_the_text(models, tmp_path, capsys):
    decoder, other = str(models / "decoder"), a_run(tmp_path / "other", byte_pairs(280), **MODERN)
    words = ["generate", decoder, "--prompt", "The quick brown fox", "--max-new-tokens", "12", "--temperature", "0"]
    main(words)
    plain = capsys.readouterr().out
    for draft, name in (
        ("prompt", "prompt look-up"),
        ("early:1", "early exit after 1 blocks"),
        (decoder, "draft model"),
    ):
        assert main([*words, "--draft", draft, "--draft-tokens", "2"]) == 0
        written = capsys.readouterr()
        assert written.out == plain
        assert written.err.startswith(name) and written.err.count("\n") == 1 and "12 tokens in" in written.err
    assert main([*words, "--draft", decoder, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["speculation"]["acceptance"] == 1 and found["speculation"]["calls"] < 12
    assert main([*words, "--draft", str(other)]) == 2
    assert "the draft has another tokenizer than the model" in capsys.readouterr().err
