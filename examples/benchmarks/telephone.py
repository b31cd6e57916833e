"""Whisper on recordings for telephones, 8,000 samples a second: words that are wrong, of minigpt and of transformers.

python examples/benchmarks/telephone.py                every tenth recording of Debian's asterisk-core-sounds-en-wav
python examples/benchmarks/telephone.py --every 40     fewer

Both get the same weights (tiny.en) and the same samples, without times and with times; transformers writes as its
`generate` does, greedily. Recordings of more than 30 seconds are left out: they are more than one window. What the
transcripts have in brackets is no word ("[ascending tones]"). Intervals: recordings drawn again. Of the first five, it
is also told how far what the two encoders hear lies apart.
"""

import argparse
import gzip
import re
import tempfile
from pathlib import Path

import numpy as np
from transcribe import prepare, samples_of, their_model

import minigpt
from minigpt.measure.intervals import bootstrap
from minigpt.measure.words import words_of, wrong_words
from minigpt.model import Batch
from minigpt.sound import RATE, log_mel

SOUNDS = Path("/usr/share/asterisk/sounds/en")
SAID = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
WINDOW, ENCODED = 30, 5  # seconds; recordings whose encodings are compared


def recordings(every: int) -> dict[Path, list[str]]:
    """Each file that fits a window, and the words that are said in it."""
    lines = [
        line for line in gzip.decompress(SAID.read_bytes()).decode("utf-8").splitlines() if line[:1] not in (";", "")
    ]
    said = {name.strip(): text for name, _, text in (line.partition(":") for line in lines)}
    found = {}
    for path in sorted(SOUNDS.rglob("*.wav"))[::every]:
        if minigpt.open_wav(path).seconds <= WINDOW:
            text = said[path.relative_to(SOUNDS).with_suffix("").as_posix()]
            found[path] = words_of(re.sub(r"\[.*?\]|\(.*?\)", " ", text))
    return found


def wrong_share(wrong: list[int], words: list[int]) -> str:
    """Wrong words of all that are said, with an interval."""
    wrongs, all_ = np.array(wrong), np.array(words)
    rate = bootstrap(lambda rows: float(wrongs[rows].sum() / all_[rows].sum()), len(all_))
    return f"{rate.value:.3f}   95% interval {rate.low:.3f} to {rate.high:.3f}   {wrongs.sum()} of {all_.sum()}"


def main() -> None:
    """Write every recording with both, and compare."""
    import torch
    import transformers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = recordings(arguments.every)
    extractor, ours = transformers.WhisperFeatureExtractor(), minigpt.open_model("whisper")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        theirs = their_model(folder)
    special = theirs.generation_config
    counts = [len(words) for words in found.values()]
    print(
        f"{len(found)} recordings, {sum(minigpt.open_wav(path).seconds for path in found):.0f} s, {sum(counts)} words"
    )
    for times in (False, True):
        wrong: dict[str, list[int]] = {"minigpt": [], "transformers": []}
        other = []
        for path, words in found.items():
            given = extractor(samples_of(str(path)), sampling_rate=RATE, return_tensors="pt").input_features
            with torch.no_grad():
                ids = theirs.generate(given, return_timestamps=times, force_unique_generate_call=True)[0].tolist()
            apart = (special.decoder_start_token_id, special.no_timestamps_token_id, special.eos_token_id)
            ids = [token for token in ids if token not in apart]
            segments = list(minigpt.transcribe(ours, minigpt.open_wav(path), timestamps=times))
            texts = {
                "minigpt": "".join(segment.text for segment in segments),
                "transformers": ours.tokenizer.decode([token for token in ids if token < special.eos_token_id]),
            }
            for who, text in texts.items():
                wrong[who].append(wrong_words(words_of(text), words))
            if (segments[0].window_tokens if segments else []) != ids:
                other.append((path.stem, *texts.values()))
        for who, some in wrong.items():
            print(f"{'with' if times else 'without'} times, {who:14}{wrong_share(some, counts)}", flush=True)
        print(f"  equal tokens: {len(found) - len(other)} of {len(found)}; others:", *other, sep="\n    ", flush=True)
    apart = []
    for path in list(found)[:ENCODED]:
        samples = samples_of(str(path))
        with torch.no_grad():
            given = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
            wanted = theirs.model.encoder(given).last_hidden_state.numpy()
        heard = log_mel(np.pad(samples, (0, WINDOW * RATE - len(samples))))[None]
        encoded = ours.model.encode(ours.params, Batch(np.array([[0]]), source=heard))[0]
        apart.append(float(np.abs(encoded - wanted).max()))
    print("largest difference of what the encoders hear:", ", ".join(f"{one:.1e}" for one in apart))


if __name__ == "__main__":
    main()
