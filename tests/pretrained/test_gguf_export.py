"""A model written as GGUF: gguf's reader finds the arrays; llama.cpp, transformers and our reader say the same."""

import numpy as np
import pytest
from conftest import optional, thorough
from runs import BOTH, ENCODER, MODERN, TEXT, a_run, byte_pairs
from test_quantized_matrix import quantized_llama

from minigpt import UserError
from minigpt.cli import main
from minigpt.pretrained import open_model, save_gguf
from minigpt.pretrained.quantized import WRITTEN
from minigpt.text import BytePairTokenizer, CharacterTokenizer

LLAMA = {**MODERN, "width": 32, "feed_forward_width": 64}
CHOICES = {
    "llama": LLAMA,
    "llama with biases": {**LLAMA, "attention_bias": True, "feed_forward_bias": True, "tied": False},
    "llama of wide heads": {**LLAMA, "head_width": 16, "rotary_theta": 500.0},
    "llama, linear": {**LLAMA, "rotary_scaling": {"kind": "linear", "factor": 2.0}},
    "llama, YaRN": {
        **LLAMA,
        "rotary_scaling": {"kind": "yarn", "factor": 2.0, "original_context": 7, "attention_factor": 1.25},
    },
    "llama, Llama 3's": {
        **LLAMA,
        "rotary_theta": 5e5,
        "rotary_scaling": {"kind": "llama3", "factor": 8.0, "original_context": 8192},
    },
    "llama, divided": {
        **LLAMA,
        "rotary_scaling": {"kind": "divided", "factor": 2.5, "divisors": (1.0, 1.1, 1.7, 2.5)},
    },
    "gpt2": {"width": 32, "feed_forward_width": 64},
    "gpt2 with a head": {"width": 32, "feed_forward_width": 96, "tied": False},
}
STEP = {"F32": 0, "F16": 2**-11, "Q8_0": 1 / 220, "Q4_0": 1 / 7.5, "Q4_1": 1 / 6.5}  # of the largest number


def exported(tmp_path, kind="F32", tokenizer=None, **choices):
    run = open_model(a_run(tmp_path / "run", tokenizer, **choices))
    save_gguf(tmp_path / "model.gguf", run.model, run.params, run.tokenizer, kind=kind)
    return run, tmp_path / "model.gguf"


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_written_in_32_bits_is_read_again_to_the_bit(name, tmp_path):
    run, path = exported(tmp_path, **CHOICES[name])
    again = open_model(path)
    wanted, found = (one.model.config.to_dict()["rotary_scaling"] or {} for one in (run, again))
    for field, value in wanted.items():  # the file holds numbers in 32 bits
        assert found[field] == (pytest.approx(value, rel=1e-6) if isinstance(value, float | tuple) else value), field
    for array, values in run.params.items():
        assert np.array_equal(again.params[array], values), array
    tokens = np.random.default_rng(0).integers(0, 300, (2, 9))
    wanted, found = (one.model.forward(one.params, tokens)[0] for one in (run, again))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    for text in (TEXT, "<|endoftext|>1234\n\n a", "東 京"):
        for special in (False, True):
            ids = run.tokenizer.encode(text, allow_special=special)
            assert np.array_equal(again.tokenizer.encode(text, allow_special=special), ids)
            assert again.tokenizer.decode(ids) == run.tokenizer.decode(ids)
    assert again.tokenizer.end_of_text == run.tokenizer.end_of_text


@pytest.mark.parametrize("scaling", [
    {"kind": "ntk", "factor": 4.0},
    {"kind": "llama3", "factor": 3.0, "original_context": 40, "low_frequency_factor": 0.5},
], ids=lambda scaling: scaling["kind"])  # fmt: skip
def test_a_scaling_without_settings_is_written_as_what_it_divides_by(scaling, tmp_path):
    run, path = exported(tmp_path, **LLAMA, rotary_scaling=scaling)
    again = open_model(path)
    assert again.model.config.rotary_scaling.kind == "divided"
    tokens = np.random.default_rng(0).integers(0, 300, (2, 9))
    wanted, found = (one.model.forward(one.params, tokens)[0] for one in (run, again))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    reader = optional("gguf").GGUFReader(path)
    (tensor,) = [one for one in reader.tensors if one.name == "rope_freqs.weight"]
    assert tensor.data.dtype == np.float32 and tensor.data.shape == (run.model.config.head_width // 2,)
    assert tensor.data[0] == 1 and tensor.data[-1] == pytest.approx(scaling["factor"], rel=1e-5)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_arrays_are_within_the_format_s_step_and_stay_so_quantized(name, kind, tmp_path):
    run, path = exported(tmp_path, kind, **CHOICES[name])
    again, few = open_model(path), open_model(path, quantized=True)
    for array, values in run.params.items():
        matrix = values.ndim == 2 and array != "position_embedding.weight"
        most = STEP[kind] * np.abs(values).max() if matrix else 0
        assert np.abs(again.params[array] - values).max() <= most, array
        assert np.array_equal(np.asarray(few.params[array]), again.params[array])


@pytest.mark.parametrize("kind", WRITTEN)
def test_gguf_reads_it(kind, tmp_path):
    gguf = optional("gguf")
    run, path = exported(tmp_path, kind, **CHOICES["llama with biases"])
    save_gguf(path, run.model, run.params, byte_pairs(290), kind=kind)
    reader, again = gguf.GGUFReader(path), open_model(path)
    theirs = {one.name: gguf.quants.dequantize(one.data, one.tensor_type) for one in reader.tensors}
    assert np.array_equal(theirs["blk.1.ffn_down.weight"], again.params["blocks.1.feed_forward.down.weight"].T)
    assert np.array_equal(theirs["token_embd.weight"], again.params["token_embedding.weight"])
    query = theirs["blk.1.attn_q.weight"].reshape(4, -1, 2, 32).swapaxes(1, 2).reshape(32, 32)  # pairs to halves
    assert np.array_equal(query, again.params["blocks.1.attention.query.weight"].T)
    assert reader.fields["general.file_type"].contents() == gguf.LlamaFileType[dict(
        F32="ALL_F32", F16="MOSTLY_F16", Q8_0="MOSTLY_Q8_0", Q4_0="MOSTLY_Q4_0", Q4_1="MOSTLY_Q4_1")[kind]]  # fmt: skip
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert len(tokens) == run.model.config.vocabulary_size and tokens[-1] == f"[PAD{len(tokens) - 1}]"


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
@pytest.mark.parametrize("name", ["llama", "llama of wide heads"])
def test_transformers_opens_it(name, kind, tmp_path):
    torch, transformers = optional("torch"), optional("transformers")
    _, path = exported(tmp_path, kind, **CHOICES[name])
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype=torch.float32)
    tokens = np.random.default_rng(0).integers(0, 300, (2, 9))
    with torch.no_grad():
        wanted = theirs.eval()(torch.tensor(tokens)).logits.numpy()
    again = open_model(path)
    np.testing.assert_allclose(again.model.forward(again.params, tokens)[0], wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture
def llama_cpp():
    """Asks llama.cpp: from its server of a file, the log-probabilities of all tokens after a text or tokens."""
    xllamacpp, servers = optional("xllamacpp"), []

    def ask(path):
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.warmup, params.verbosity = str(path), 256, False, -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = params.n_parallel = 1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # which adds in 16 bits
        servers.append(xllamacpp.Server(params))

        def logs_after(prompt):
            words = {"prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": 1000}
            # "a" is said whatever the numbers, which come unchanged: what ends within a letter comes without them
            answer = servers[-1].handle_completions({**words, "logit_bias": [[ord("a"), 1000.0]]})
            (said,) = answer["choices"][0]["logprobs"]["content"]
            logs = {one["id"]: one["logprob"] for one in said["top_logprobs"]}
            return np.array([logs[token] for token in range(len(logs))]), answer["usage"]["prompt_tokens"]

        return logs_after

    yield ask
    servers.clear()


# It multiplies in 32 bits what is in 32, F16 by inputs in 16, and the others by inputs in 8; its GELU is a table in 16.
FAR = {"F32": 1e-4, "F16": 0.02, "Q8_0": 0.5, "Q4_0": 0.5, "Q4_1": 0.5}
OPENED = [("llama", kind) for kind in WRITTEN] + [("gpt2", kind) for kind in ("F16", "Q4_0")]
OPENED += [(name, "F32") for name in CHOICES if name != "llama"]
FEW = {("llama", "F32"), ("llama", "Q4_0"), ("llama, YaRN", "F32"), ("gpt2", "F16")}


@pytest.mark.parametrize(("name", "kind"), [pytest.param(*one, marks=() if one in FEW else thorough) for one in OPENED])
def test_llama_cpp_says_the_same(name, kind, llama_cpp, tmp_path):
    run, path = exported(tmp_path, kind, **CHOICES[name])
    again, logs_after = open_model(path), llama_cpp(path)
    far = 0.01 if name.startswith("gpt2") and kind == "F32" else FAR[kind]
    text = "The quick brown fox; naïve 東"
    ids = [int(one) for one in run.tokenizer.encode(text)][: again.model.config.context - 1]
    for length in (1, 5, len(ids)):
        logits = again.model.forward(again.params, np.array([ids[:length]]))[0][0, -1].astype(float)
        wanted = logits - np.log(np.exp(logits).sum())
        found, read = logs_after(ids[:length])
        assert read == length and found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=0, atol=far)
        assert wanted[found.argmax()] > wanted.max() - far  # the likeliest token, but for ties
    for text in ("<|endoftext|>12 a", "naïve  東"):  # the same tokens, so the same numbers
        ids = [int(one) for one in run.tokenizer.encode(text, allow_special=True)]
        (found, read), (wanted, _) = logs_after(text), logs_after(ids)
        assert read == len(ids)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=far)


@pytest.mark.parametrize(("choices", "message"), [
    (ENCODER, "is a BertForMaskedLM, which is not written as GGUF; LlamaForCausalLM and GPT2LMHeadModel are"),
    (BOTH, "no published family|is a BartFor"),
    ({**LLAMA, "head": "token"}, "is a LlamaForTokenClassification, which is not written as GGUF"),
    ({"norm_place": "post"}, "no published family"),
    ({**LLAMA, "rotary_scaling": {"kind": "dynamic", "factor": 2.0}}, "cannot say that the model's rotary_scaling is"),
])  # fmt: skip
def test_what_a_gguf_file_cannot_say_is_named(choices, message, tmp_path):
    with pytest.raises(UserError, match=message):
        exported(tmp_path, **choices)
    assert not list(tmp_path.glob("*.gguf"))


def test_tokenizers_and_numbers_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(UserError, match=r"a tokenizer of the kind 'character.*cannot be written as GGUF"):
        exported(tmp_path / "a", tokenizer=CharacterTokenizer.train([TEXT]), **LLAMA)
    with pytest.raises(UserError, match="kind is 'Q6_K', but it must be one of F32"):
        exported(tmp_path / "b", "Q6_K", **LLAMA)
    with pytest.raises(UserError, match=r"token_embd.weight has rows of 16 numbers, no whole blocks of the 32"):
        exported(tmp_path / "c", "Q8_0", **{**LLAMA, "width": 16})
    learned = BytePairTokenizer([(b"<", b"|")], special_tokens={"<|endoftext|>": 257, "<|": 258})
    with pytest.raises(UserError, match=r"learned '<\|' as text and has it as a special token too"):
        exported(tmp_path / "d", tokenizer=learned, **LLAMA)
    run = open_model(a_run(tmp_path / "e", **LLAMA))
    run.params["blocks.0.feed_forward.up.weight"][3, 4] = 70000
    with pytest.raises(UserError, match=r"blk.0.ffn_up.weight has numbers that F16 cannot hold; choose F32"):
        save_gguf(tmp_path / "e.gguf", run.model, run.params, run.tokenizer)
    assert not list(tmp_path.rglob("*.gguf"))


def test_a_digit_alone_and_marks_stay_so(tmp_path):
    tokenizer = BytePairTokenizer(byte_pairs().merges[:20], {"<|endoftext|>": 276, "<|x|>": 277}, digits_alone=True)
    run, path = exported(tmp_path, tokenizer=tokenizer, **LLAMA)
    again = open_model(path).tokenizer
    for text in ("a 2024, b<|x|>", TEXT):
        assert np.array_equal(again.encode(text, allow_special=True), run.tokenizer.encode(text, allow_special=True))
    assert again.special_tokens == tokenizer.special_tokens


def test_a_model_in_a_gguf_file_is_written_as_one_again(tmp_path):
    opened = open_model(quantized_llama(tmp_path))
    save_gguf(tmp_path / "again.gguf", opened.model, opened.params, opened.tokenizer, kind="F32")
    again = open_model(tmp_path / "again.gguf")
    assert np.array_equal(again.params.flat, opened.params.flat) and again.model.config == opened.model.config


def test_from_the_command_line(tmp_path, capsys):
    run, out = a_run(tmp_path / "run", **LLAMA), tmp_path / "model.gguf"
    assert main(["export", str(run), str(out), "--type", "Q8_0", "--json"]) == 0
    assert open_model(out, quantized=True).params["blocks.0.attention.value.weight"].kind.name == "Q8_0"
    capsys.readouterr()
    for words, message in (
        ([str(out)], "is there already; choose a new file"),
        ([str(tmp_path / "folder"), "--type", "F16"], "--type is for a .gguf file"),
        ([str(tmp_path / "new.gguf"), "--adapter"], "adapters alone are written as a folder"),
    ):
        assert main(["export", str(run), *words]) == 2
        assert message in capsys.readouterr().err
