"""A model in fewer bits: what it loses, the room it takes, its memory and its speed, for every method.

Each compressed model is measured in a process of its own, beside the model as it is. A decoder: bits per byte of the
held-out part of corpora, in windows of 128 tokens, with 95% intervals of the paired differences (windows are drawn
again), and tokens written a second. An encoder: the correlation of the similarities of all pairs of some sentences.
Folders that are there already are measured as they are, so that a long table can be made in pieces. With --prune a
model is pruned before it is rounded.
Run: python examples/benchmarks/compression.py smollm2 small [--only 4:second-order 3:nearest] [--tokens 1024]
     python examples/benchmarks/compression.py smollm2 small --only 8:nearest --prune 0.25 --structured
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from common import answer_of, arguments_for, peak_memory, report

from minigpt import Compression, Sampling, compress_model, embed, generate, load_corpus, open_model
from minigpt.compress import pruned_model
from minigpt.measure.evaluation import sample_text
from minigpt.measure.intervals import bootstrap
from minigpt.model import Call
from minigpt.ops import cross_entropy_forward
from minigpt.text import document_end

WINDOW, WRITTEN, SENTENCES = 128, 12, 64
WHOLE, TWO_OF_FOUR = "32:as it is", "2:4"
WAYS = [
    "8:nearest",
    "6:nearest",
    *(f"{bits}:{how}" for bits in (4, 3) for how in ("nearest", "activation-aware", "second-order")),
]


def main() -> None:
    """Compress what is not there yet, measure it, print a table."""
    parser = arguments_for(__doc__, quick=False)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path, help="where the compressed models and the texts are kept")
    parser.add_argument("--only", nargs="+", default=WAYS, help="bits:method")
    parser.add_argument("--group", default="64")
    parser.add_argument("--texts", nargs="+", default=["pydocs", "shakespeare"], help="corpora; the first calibrates")
    parser.add_argument("--tokens", type=int, default=1024, help="of each text that are measured")
    parser.add_argument("--calibration-tokens", type=int, default=4096)
    parser.add_argument("--prune", metavar="SHARE", help=f"a share, or {TWO_OF_FOUR}, as `minigpt compress` has it")
    parser.add_argument("--structured", action="store_true", help="whole heads and feed-forward units")
    arguments = parser.parse_args()
    if arguments.contestant:
        print(json.dumps(measure(arguments)))
        return
    prepare_texts(arguments)
    for name in arguments.only:
        if not place_of(arguments, name).exists():
            make(arguments, name)
    found = {name: measured(arguments, name) for name in [WHOLE, *arguments.only]}
    report([row_of(name, one, found[WHOLE]) for name, one in found.items()], arguments.json)


def place_of(arguments, name: str) -> Path | str:
    """The folder of a compressed model, or the model itself."""
    return arguments.model if name == WHOLE else arguments.folder / label_of(arguments, name)


def label_of(arguments, name: str) -> str:
    """What its folder and its numbers are called."""
    pruned = "" if name == WHOLE or arguments.prune is None else f"-pruned-{arguments.prune.replace(':', '-of-')}"
    whole = "-structured" if pruned and arguments.structured else ""
    return f"{name.replace(':', '-').replace(' ', '-')}-{arguments.group}{pruned}{whole}"


def prepare_texts(arguments) -> None:
    """A sample of each corpus, in files that every process reads: what is held out, and of the first the rest too."""
    arguments.folder.mkdir(parents=True, exist_ok=True)
    letters = 6 * max(arguments.tokens, arguments.calibration_tokens)
    for number, name in enumerate(arguments.texts):
        if not (path := arguments.folder / f"{name}.json").exists():
            corpus = load_corpus(name)
            parts = [corpus.validation, corpus.training if number == 0 else ()]
            path.write_text(json.dumps([sample_text("\n\n".join(part), letters) for part in parts]), encoding="utf-8")


def text_of(arguments, name: str, part: int) -> str:
    """0: held out, 1: to calibrate with."""
    return json.loads((arguments.folder / f"{name}.json").read_text(encoding="utf-8"))[part]


def make(arguments, name: str) -> None:
    """A compressed model, in its folder."""
    bits, method = name.split(":")
    group = None if arguments.group == "none" else int(arguments.group)
    symmetric = arguments.prune is not None and not arguments.structured  # so that zeros stay zeros
    settings = Compression(int(bits), method, group, symmetric=symmetric)
    opened, began = open_model(arguments.model), time.perf_counter()
    ids = opened.tokenizer.encode(text_of(arguments, arguments.texts[0], 1))[: arguments.calibration_tokens]
    pruned = None
    if arguments.prune is not None:
        form = arguments.prune == TWO_OF_FOUR
        share, whole = None if form else float(arguments.prune), arguments.structured
        opened, pruned = pruned_model(opened, share, settings, structured=whole, two_of_four=form, text=ids)
    text = ids if settings.calibrated else None
    compress_model(opened, place_of(arguments, name), settings, text=text, text_name=arguments.texts[0], pruned=pruned)
    print(f"{name}: compressed in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def measured(arguments, name: str) -> dict:
    """What a process of its own says; kept beside the model."""
    path = arguments.folder / f"{label_of(arguments, name)}-{arguments.tokens}.json"
    if not path.exists():
        words = [arguments.model, str(arguments.folder), "--group", arguments.group, "--tokens", str(arguments.tokens)]
        words += [] if arguments.prune is None else ["--prune", arguments.prune]
        words += ["--structured"] if arguments.structured else []
        path.write_text(json.dumps(answer_of(__file__, name, *words, "--texts", *arguments.texts)), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def measure(arguments) -> dict:
    """In the process of one model."""
    imports, place = peak_memory(), place_of(arguments, arguments.contestant)
    opened = open_model(place)
    if opened.model.config.architecture == "encoder":
        lines = [line.strip() for line in text_of(arguments, arguments.texts[0], 0).splitlines()]
        sentences = [line for line in dict.fromkeys(lines) if len(line) > 30][:SENTENCES]
        began = time.perf_counter()
        rows = embed(opened.model, opened.params, opened.tokenizer, sentences)
        found = {"rows": rows.tolist(), "sentences a second": len(sentences) / (time.perf_counter() - began)}
    else:
        found = {"texts": {name: losses(opened, text_of(arguments, name, 0), arguments) for name in arguments.texts}}
        prompt, began = np.array([document_end(opened.tokenizer)] * 8), time.perf_counter()
        list(generate(opened.model, opened.params, prompt, WRITTEN, sampling=Sampling(temperature=0)))
        found["tokens a second"] = WRITTEN / (time.perf_counter() - began)
    report_file = Path(place) / "compression.json"
    sizes = json.loads(report_file.read_text(encoding="utf-8")) if report_file.exists() else {}
    memory = peak_memory()
    found["megabytes"] = None if memory is None or imports is None else (memory - imports) / 1e6
    found["file"] = sizes.get("file_bytes", 4 * sum(array.size for _, array in opened.params.items())) / 1e6
    return found | {"bits a weight": sizes.get("bits_per_weight", 32)}


def losses(opened, text: str, arguments) -> list[list[float]]:
    """Nats and bytes of the tokens in each window; one after another, so that memory is the model's."""
    length = min(WINDOW, opened.model.config.context)
    ids = opened.tokenizer.encode(text)[: arguments.tokens // length * length].reshape(-1, length)
    found = []
    for window in ids:
        tokens = np.concatenate([[document_end(opened.tokenizer)], window[:-1]])[None]
        logits, _ = opened.model.forward(opened.params, tokens, Call().forward_only())
        nats = float(cross_entropy_forward(logits, window[None], count=1)[0])
        found.append([nats, len(opened.tokenizer.decode_bytes(window))])
    return found


def row_of(name: str, found: dict, whole: dict) -> dict:
    """A row of the table. The differences are relative, in percent, of all texts together and of each."""
    bits, method = name.split(":")
    row = {"bits": bits, "method": method, "bits_per_weight": found["bits a weight"], "file_MB": found["file"]}
    row["peak_MB"] = found["megabytes"]
    if "rows" in found:
        mine, theirs = (np.array(one["rows"]) @ np.array(one["rows"]).T for one in (found, whole))
        pairs = np.triu_indices(len(mine), 1)
        row["correlation"] = float(np.corrcoef(mine[pairs], theirs[pairs])[0, 1])
        row["largest_difference"] = float(np.abs(mine - theirs).max())
        return row | {"per_second": found["sentences a second"]}
    for text, windows in found["texts"].items():
        row[f"{text}_bits_per_byte"] = bits_per_byte(np.array(windows))
    mine, theirs = (np.concatenate([np.array(one["texts"][text]) for text in found["texts"]]) for one in (found, whole))
    change = bootstrap(
        lambda rows: 100 * (bits_per_byte(mine[rows]) / bits_per_byte(theirs[rows]) - 1), len(mine), draws=500
    )
    row |= {"change_%": change.value, "low": change.low, "high": change.high}
    return row | {"per_second": found["tokens a second"]}


def bits_per_byte(windows: np.ndarray) -> float:
    """Of (windows, 2) nats and bytes."""
    nats, size = windows.sum(axis=0)
    return float(nats / size / np.log(2))


if __name__ == "__main__":
    main()
