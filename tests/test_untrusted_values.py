"""Every file that is read, with values of any kind in any place: read, or refused in one sentence."""

import json
import os
import time
import tracemalloc

import numpy as np
import pytest
from drawn_values import changed, damaged_text, seeds
from safetensors.numpy import load_file, save_file

from minigpt import Transformer, TransformerConfig, UserError, preset
from minigpt.course.claims import load_claims
from minigpt.course.folder import shipped_lessons
from minigpt.files import read_json, read_text
from minigpt.pretrained import load_pretrained, save_pretrained
from minigpt.pretrained.folder import INDEX
from minigpt.text import BytePairTokenizer, CharacterTokenizer, load_tokenizer
from minigpt.text.added import AddedToken
from minigpt.text.model_folder import load_folder_tokenizer
from minigpt.text.numbered import numbered_tokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell
from minigpt.text.sounds import SoundsTokenizer
from minigpt.text.tokenizer_json_write import save_tokenizer_json
from minigpt.text.word_piece import MARKS, WordPieceTokenizer
from minigpt.train import RunFolder, TrainSettings, open_run, read_metrics
from minigpt.train.checkpoint import UNCHECKED, checkpoint_header
from minigpt.train.shards import FORMER, Piece, point, write_shard

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "10"))
CONFIG = TransformerConfig(vocabulary_size=9, context=6, width=8, layers=2, heads=2)
PARAMS = Transformer(CONFIG).init(np.random.default_rng(0))
LETTERS = CharacterTokenizer("abcdefgh")


def a_run(folder):
    corpus = {"name": "x", "sha256": "", "validation_tokens": 5, "validation_bytes": 5}
    RunFolder(folder, CONFIG, TrainSettings(), corpus).save()
    LETTERS.save(folder / "tokenizer.json")
    header = {"config": CONFIG.to_dict(), "optimizer": {"step": 3}, "progress": {"step": 3, "best_loss": 1.5}}
    save_header(folder / "best.safetensors", UNCHECKED, header)
    return folder / "run.json", lambda: open_run(folder)


def save_header(path, format_, header):
    """A checkpoint without checksums, so that its header is looked at."""
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in PARAMS.items()}
    save_file(tensors, path, metadata={"format": format_, "json": json.dumps(header)})


def some_shards(folder):
    a_run(folder)
    (folder / "best.safetensors").unlink()
    write_one_shard(folder)
    return folder / "best.json", lambda: open_run(folder)


def write_one_shard(folder):
    pieces = [Piece(name, {"model": array.reshape(-1)}, array.shape, 0, 0, 0) for name, array in PARAMS.items()]
    write_shard(folder / "step-3", 0, pieces, CONFIG, {"step": 3}, {"step": 3, "best_loss": 1.5, "seconds": 1.0})
    point(folder, "best", "step-3", 1, 3)


def published(folder, family="gpt2", cls="GPT2LMHeadModel"):
    config = preset("gpt2", vocabulary_size=257, width=12, layers=1, heads=2, context=8)
    model = Transformer(config)
    numbered = numbers()
    save_pretrained(folder, model, model.init(np.random.default_rng(0)), family, cls, tokenizer=numbered)
    return folder


def numbers():
    spelled = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER]
    vocabulary = {token: id_ for id_, token in enumerate([*spelled, "<|endoftext|>"])}
    return numbered_tokenizer(vocabulary, [], [AddedToken("<|endoftext|>", 256, special=True)])


def config_json(folder):
    published(folder)
    return folder / "config.json", lambda: load_pretrained(folder)


def index_json(folder):
    published(folder)
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    names = list(load_file(folder / "part.safetensors"))
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "part.safetensors")}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return folder / INDEX, lambda: load_pretrained(folder)


def beside(name, value):
    def make(folder):
        (folder / "vocab.txt").write_text("\n".join([*MARKS, "a", "##b", ""]), encoding="utf-8")
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return folder / name, lambda: load_folder_tokenizer(folder)

    return make


def of_others(tokenizer):
    def make(folder):
        save_tokenizer_json(tokenizer, folder, longest=8)
        return folder / "tokenizer.json", lambda: load_folder_tokenizer(folder).encode("aba", allow_special=True)

    return make


def saved(tokenizer):
    def make(folder):
        tokenizer.save(folder / "t.json")
        return folder / "t.json", lambda: load_tokenizer(folder / "t.json").decode([0, 1])

    return make


def results(folder):
    for name in ("claims.toml", "results.json"):
        (folder / name).write_bytes((shipped_lessons() / name).read_bytes())
    return folder / "results.json", lambda: load_claims(folder)


ADDED = {"content": "<x>", "lstrip": False, "rstrip": False, "single_word": False, "special": True}
SETTINGS = {"do_lower_case": True, "strip_accents": None, "added_tokens_decoder": {"7": ADDED}, "unk_token": "[UNK]"}
TOKENIZERS = {
    "byte_pair": BytePairTokenizer.train(["the cat and the hat"], 259),
    "characters": LETTERS,
    "numbered": numbers(),
    "sounds": SoundsTokenizer("____abc", "____xyz", 9),
    "word_piece": WordPieceTokenizer([*MARKS, "a", "##b"]),
}
FILES = {
    "run.json": a_run,
    "best.json": some_shards,
    "config.json": config_json,
    "index.json": index_json,
    "tokenizer_config.json": beside("tokenizer_config.json", SETTINGS),
    "added_tokens.json": beside("added_tokens.json", {"<x>": 7}),
    "special_tokens_map.json": beside(
        "special_tokens_map.json", {"unk_token": "[UNK]", "cls_token": {**ADDED, "content": "[CLS]"}}
    ),
    "results.json": results,
    **{f"saved {kind}": saved(tokenizer) for kind, tokenizer in TOKENIZERS.items()},
    **{f"theirs {kind}": of_others(TOKENIZERS[kind]) for kind in ("byte_pair", "characters", "numbered", "word_piece")},
}


class Watch:
    """Nothing but a `UserError` of one sentence, in less than ten seconds of work and 200 MB."""

    def __enter__(self):
        tracemalloc.start()
        self.began = time.process_time()
        return self

    def __exit__(self, kind, error, _trace):
        peak, seconds = tracemalloc.get_traced_memory()[1], time.process_time() - self.began
        tracemalloc.stop()
        assert peak < 200e6 and seconds < 10, (peak, seconds)
        if kind is None:
            return False
        assert issubclass(kind, UserError), repr(error)
        assert "\n" not in str(error) and len(str(error)) < 700, str(error)
        return True


@pytest.mark.parametrize("name", FILES)
def test_a_json_file_is_read_or_refused(name, tmp_path):
    path, opens = FILES[name](tmp_path)
    opens()
    value = json.loads(path.read_text(encoding="utf-8"))
    refused = 0
    for seed, rng in enumerate(seeds(FUZZ)):
        path.write_text(json.dumps(changed(value, rng)), encoding="utf-8")
        with Watch():
            refused += 1
            try:
                opens()
            except Exception as error:
                if not isinstance(error, UserError):
                    raise AssertionError(f"seed {seed}: {path.read_text(encoding='utf-8')[:2000]}") from error
                raise
            refused -= 1
    assert refused


def test_the_header_of_a_checkpoint_is_read_or_refused(tmp_path):
    _, opens = a_run(tmp_path)
    header = {"config": CONFIG.to_dict(), "optimizer": {"step": 3}, "progress": {"step": 3, "best_loss": 1.5}}
    for rng in seeds(FUZZ):
        save_header(tmp_path / "best.safetensors", UNCHECKED, changed(header, rng))
        with Watch():
            opens()


@pytest.mark.parametrize("progress", [None, {"step": -1}, {"step": "3"}, {"step": 3, "best_loss": []}])
def test_progress_that_does_not_fit_is_refused_by_whoever_reads_the_header_alone(progress, tmp_path):
    path = tmp_path / "best.safetensors"
    save_header(path, UNCHECKED, {"config": CONFIG.to_dict(), "optimizer": {}, "progress": progress})
    with pytest.raises(UserError, match=r"progress|step|best_loss"):
        checkpoint_header(path)


def test_the_header_of_a_shard_is_read_or_refused(tmp_path):
    _, opens = some_shards(tmp_path)
    shard = tmp_path / "step-3" / "rank-0000.safetensors"
    tensors = load_file(shard)
    places = {name: [list(array.shape), 0, 0, 0] for name, array in PARAMS.items()}
    progress = {"step": 3, "best_loss": 1.5, "seconds": 1.0}
    header = {"config": CONFIG.to_dict(), "optimizer": {"step": 3}, "progress": progress, "places": places}
    for rng in seeds(FUZZ):
        save_file(tensors, shard, metadata={"format": FORMER, "json": json.dumps(changed(header, rng))})
        with Watch():
            opens()


def test_metrics_are_read_or_refused(tmp_path):
    path = tmp_path / "metrics.csv"
    head = "step,loss,validation_loss,validation_bits_per_byte,validation_accuracy,learning_rate,gradient_norm,"
    text = head + "tokens_per_second,seconds\n1,2.5,,,,0.001,1.5,1e3,0.5\n2,2.25,2.5,1.5,0.5,0.001,inf,1e3,1.0\n"
    for rng in seeds(20 * FUZZ):
        path.write_text(damaged_text(text, rng), encoding="utf-8")
        with Watch():
            read_metrics(path)


@pytest.mark.parametrize("which", ["config", "both"])
@pytest.mark.parametrize("field", ["width", "layers", "context", "vocabulary_size", "feed_forward_width", "heads"])
def test_sizes_that_no_file_holds_are_refused_before_anything_is_made(field, which, tmp_path):
    path, opens = a_run(tmp_path)
    run = json.loads(path.read_text(encoding="utf-8"))
    run["config"][field] = 10**9 if field != "heads" else 4
    if field == "width":
        run["config"] |= {"head_width": 4}
    path.write_text(json.dumps(run), encoding="utf-8")
    if which == "both":
        header = {"config": run["config"], "optimizer": {}, "progress": {}}
        save_header(tmp_path / "best.safetensors", UNCHECKED, header)
    with Watch():
        opens()
        pytest.fail("it was opened")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_or_device_is_no_file(name, tmp_path):
    path, opens = FILES[name](tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="no file but a device or a pipe"):
        opens()
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no file but a device or a pipe"):
        opens()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["best.safetensors", "tokenizer.json", "metrics.csv", "training.npy"])
def test_a_pipe_in_a_run_is_no_file(name, tmp_path):
    a_run(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="no file but a device or a pipe"):
        open_run(tmp_path).folder.tokens("training") if name != "metrics.csv" else read_metrics(tmp_path / name)


def test_a_refusal_names_the_file_the_key_the_value_and_what_was_expected(tmp_path):
    path, opens = a_run(tmp_path)
    run = json.loads(path.read_text(encoding="utf-8"))
    for key, value, says in [
        ("corpus", None, "corpus is None, but it must be a table"),
        ("special", None, "special is None, but it must be a table"),
        ("settings", {**run["settings"], "batch": True}, "batch is True, but it must be a whole number of at least 1"),
        (
            "settings",
            {**run["settings"], "seed": 1 << 63},
            "seed is 9223372036854775808, but it must be a whole number of at least 0 and below 2^63",
        ),
        ("settings", {**run["settings"], "accumulate": 1 << 40}, "a whole number of at least 1 and at most 65,536"),
        ("settings", {**run["settings"], "workers": 10**9}, "a whole number of at least 1 and at most 1,024"),
        ("settings", {**run["settings"], "later": 1}, "the setting later is not known"),
    ]:
        path.write_text(json.dumps({**run, key: value}), encoding="utf-8")
        with pytest.raises(UserError) as error:
            opens()
        assert says in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("content", ["1" * 5000, "[" * 100_000, '{"a": 1', "\udcff", '"\\ud800', ""])
def test_what_is_no_json_is_refused(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="could not be read as JSON"):
        read_json(path)
    with pytest.raises(UserError, match="no file but a device"):
        read_text("/dev/zero" if os.path.exists("/dev/zero") else path)
