"""How far are our answers from those of transformers, for every published model that can be opened by name?

The largest difference over all positions, absolute and beside the spread of the answers (their standard deviation);
and how often the largest one is the same: the token that would be written. SmolLM2 and MiniLM are opened by
transformers from their own files. Those of Whisper (CTranslate2) and g2p (.npz) it does not read: it gets what
`minigpt export` writes of them, so there the arithmetic is compared, not the reading.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers

from minigpt import Batch, OpenedModel, open_model, save_pretrained
from minigpt.pretrained import NAMED, fetch_named, fitting_class

TEXTS = (
    "The capital of France is Paris, and the capital of Italy is",
    "def mean(values):\n    return sum(values) / len(values)\n",
    "Héllo, wörld! naïve 東京 costs $5.00, don't it?",
)
WRITTEN = 12  # tokens that Whisper, which hears noise, and g2p are asked about


Both = tuple[np.ndarray, np.ndarray]  # (T, V) ours and theirs


def decoder(opened: OpenedModel) -> list[Both]:
    """Logits of SmolLM2, of each text."""
    file = fetch_named(opened.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name).eval()
    rows = [opened.tokenizer.encode(text)[None] for text in TEXTS]
    return [
        (opened.model.forward(opened.params, ids)[0][0], model(torch.tensor(ids)).logits[0].numpy()) for ids in rows
    ]


def encoder(opened: OpenedModel) -> list[Both]:
    """Hidden states of MiniLM, which has no head: (T, C)."""
    model, found = transformers.AutoModel.from_pretrained(str(fetch_named(opened.name))).eval(), []
    for text in TEXTS:
        ids, segments = opened.tokenizer.encode_pair(text)
        ours = opened.model.forward(opened.params, Batch(ids[None], segments=segments[None]))[0]
        found.append((ours[0], model(input_ids=torch.tensor(ids[None])).last_hidden_state[0].numpy()))
    return found


def two_stacks(opened: OpenedModel, source: np.ndarray, name: str) -> Both:
    """Logits of an encoder-decoder after tokens at random: (T, V). name: what transformers calls the source."""
    family, cls = fitting_class(opened.model.config)
    tokens = np.random.default_rng(1).integers(0, opened.model.config.vocabulary_size, (1, WRITTEN))
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(folder, opened.model, opened.params, family, cls)
        model = getattr(transformers, cls).from_pretrained(Path(folder)).eval()
    ours = opened.model.forward(opened.params, Batch(tokens, source=source))[0]
    given = {name: torch.tensor(source.swapaxes(1, 2) if source.ndim == 3 else source)}
    return ours[0], model(**given, decoder_input_ids=torch.tensor(tokens)).logits[0].numpy()


def pairs_of(opened: OpenedModel) -> list[Both]:
    """Ours and theirs, of every text."""
    config, rng = opened.model.config, np.random.default_rng(0)
    if config.encoder is None:
        return decoder(opened) if config.architecture == "decoder" else encoder(opened)
    reads = config.encoder
    if reads.input == "tokens":
        return [two_stacks(opened, rng.integers(0, reads.vocabulary_size, (1, 8)), "input_ids")]
    frames = rng.standard_normal((1, 2 * reads.context, reads.input_width)).astype(np.float32)
    return [two_stacks(opened, frames, "input_features")]


def main() -> None:
    """Open, ask both, compare."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"{'model':10}{'numbers':>12}{'largest difference':>20}{'of the spread':>16}{'the same largest':>18}")
    for name in NAMED:
        with torch.no_grad():
            ours, theirs = (np.concatenate(side) for side in zip(*pairs_of(open_model(name)), strict=True))
        worst = float(np.abs(ours - theirs).max())
        same = float((ours.argmax(axis=-1) == theirs.argmax(axis=-1)).mean())
        print(f"{name:10}{ours.size:>12,}{worst:>20.1e}{worst / theirs.std():>16.1e}{same:>18.3f}", flush=True)


if __name__ == "__main__":
    main()
