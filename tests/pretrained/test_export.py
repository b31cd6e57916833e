"""An exported run gives transformers the same logits, its tokenizer the same ids, and opens here again."""

import numpy as np
import pytest
from conftest import optional
from hypothesis import given
from hypothesis import strategies as st
from runs import BOTH, ENCODER, MODERN, TEXT, a_run, byte_pairs

from minigpt import Batch, UserError
from minigpt.cli import main
from minigpt.files import read_json
from minigpt.pretrained import open_model
from minigpt.text import BytePairTokenizer, CharacterTokenizer
from minigpt.text.model_folder import load_folder_tokenizer
from minigpt.text.tokenizer_json_write import save_tokenizer_json
from minigpt.text.word_piece import WordPieceTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "fox", "##es", "##e", "a", "##b", "b", "1", "##1", "."]
TOKENIZERS = {
    "byte pairs": byte_pairs(),
    "byte pairs with marks": BytePairTokenizer.train([TEXT], 310, special_tokens=["<|mask|>", "<|sep|>"]),
    "digits alone": BytePairTokenizer(byte_pairs().merges[:20], digits_alone=True),
    "characters": CharacterTokenizer.train([TEXT, "<|endoftext|>[MASK][SEP]"], special_tokens=["<|mask|>"]),
    "word pieces": WordPieceTokenizer(WORDS),
    "cased word pieces": WordPieceTokenizer(WORDS, lower_case=False, strip_accents=True),
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request, tmp_path_factory):
    """Ours, and that of `tokenizers` on what ours wrote, and ours on the same."""
    tokenizers = optional("tokenizers")
    ours, folder = TOKENIZERS[request.param], tmp_path_factory.mktemp("tokenizer")
    save_tokenizer_json(ours, folder, longest=24)
    return ours, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), load_folder_tokenizer(folder)


PIECES = st.sampled_from(
    sorted({*TEXT, *TEXT.split(), "<|endoftext|>", "<|mask|>", "[MASK]", "[SEP]", " ", "  ", "\n"})
)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_a_written_tokenizer_gives_the_same_ids(tokenizer, text):
    ours, theirs, again = tokenizer
    wanted = theirs.encode(text, add_special_tokens=False).ids
    assert ours.encode(text, allow_special=True).tolist() == wanted
    assert again.encode(text, allow_special=True).tolist() == wanted
    assert again.encode(text).tolist() == ours.encode(text).tolist()
    assert again.end_of_text == ours.end_of_text and again.vocabulary_size == ours.vocabulary_size


@given(text=st.text(max_size=30))
def test_byte_pairs_take_any_text(text, tmp_path_factory):
    tokenizers = optional("tokenizers")
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer_json(TOKENIZERS["digits alone"], folder, longest=24)
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert TOKENIZERS["digits alone"].encode(text, allow_special=True).tolist() == theirs.encode(text).ids
    assert theirs.decode(theirs.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("choices", "automatic", "cls"), [
    (MODERN, "AutoModelForCausalLM", "LlamaForCausalLM"),
    ({}, "AutoModelForCausalLM", "GPT2LMHeadModel"),
    ({"tied": False}, "AutoModelForCausalLM", "GPT2LMHeadModel"),
    (ENCODER, "AutoModelForMaskedLM", "BertForMaskedLM"),
    ({**ENCODER, "tied": False}, "AutoModelForMaskedLM", "BertForMaskedLM"),
    (BOTH, "AutoModelForSeq2SeqLM", "BartForConditionalGeneration"),
    ({**BOTH, "tied": False}, "AutoModelForSeq2SeqLM", "BartForConditionalGeneration"),
])  # fmt: skip
def test_transformers_opens_what_is_exported(choices, automatic, cls, tmp_path, capsys):
    torch, transformers = optional("torch"), optional("transformers")
    run, folder = a_run(tmp_path / "run", **choices), tmp_path / "out"
    assert main(["export", str(run), str(folder)]) == 0
    assert cls in capsys.readouterr().out
    theirs = getattr(transformers, automatic).from_pretrained(folder).eval()
    assert type(theirs).__name__ == cls
    ours = open_model(run)
    text = "The quick fox, isn't 13 lazy?"
    ids = ours.tokenizer.encode(text)
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert their_tokenizer(text, add_special_tokens=False)["input_ids"] == ids.tolist()
    assert their_tokenizer.eos_token_id == ours.tokenizer.end_of_text
    source = ids[None, ::-1].copy() if ours.model.two_stacks else None
    named = {"input_ids": torch.tensor(ids[None])}
    if source is not None:
        named = {"input_ids": torch.tensor(source), "decoder_input_ids": named["input_ids"]}
    logits = theirs(**named).logits.detach().numpy()
    np.testing.assert_allclose(
        ours.model.forward(ours.params, Batch(ids[None], source=source))[0], logits, rtol=0, atol=1e-4
    )
    assert theirs.config.eos_token_id == ours.tokenizer.end_of_text
    again = open_model(folder)
    assert np.array_equal(again.params.flat, ours.params.flat)
    assert again.tokenizer.encode(text).tolist() == ids.tolist()


def test_the_other_programs_learn_where_a_text_begins_and_ends(tmp_path):
    names = ("bos_token_id", "eos_token_id", "decoder_start_token_id", "forced_eos_token_id")
    for kind, choices in (("one", MODERN), ("two", BOTH)):
        run = a_run(tmp_path / kind, **choices)
        assert main(["export", str(run), str(tmp_path / f"{kind}-out")]) == 0
        end = open_model(run).tokenizer.end_of_text
        written = read_json(tmp_path / f"{kind}-out" / "config.json")
        assert {name: written[name] for name in names if name in written} == dict.fromkeys(
            names if kind == "two" else names[:2], end
        )


def test_last_is_exported_when_it_is_asked_for(tmp_path):
    run = a_run(tmp_path / "run", **MODERN)
    assert main(["export", str(run), str(tmp_path / "out"), "--checkpoint", "last"]) == 0
    last, best = (open_model(run, checkpoint=which).params.flat for which in ("last", "best"))
    assert np.array_equal(open_model(tmp_path / "out").params.flat, last) and not np.array_equal(last, best)


def test_what_cannot_be_exported_is_one_sentence(tmp_path, capsys):
    run = a_run(tmp_path / "run", position="sinusoidal")
    assert main(["export", str(run), str(tmp_path / "out")]) == 2
    assert "its position is 'sinusoidal', not 'learned'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["export", str(run), str(run)]) == 2
    assert "is there already and not empty" in capsys.readouterr().err


def test_a_special_token_that_is_also_text_is_refused(tmp_path):
    twice = BytePairTokenizer([(b"<", b"x")], {"<|endoftext|>": 257, "<x": 258})
    with pytest.raises(UserError, match="learned '<x' as text and has it as a special token too"):
        save_tokenizer_json(twice, tmp_path, longest=8)
    assert not list(tmp_path.iterdir())
