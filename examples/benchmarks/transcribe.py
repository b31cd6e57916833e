"""Speech to text beside transformers: real-time factor, memory and words that are wrong, each in a process of its own.

python examples/benchmarks/transcribe.py                         Debian's five LibriVox clips, in turn, three rounds
python examples/benchmarks/transcribe.py --wav lecture.wav       a file of yours
python examples/benchmarks/transcribe.py --joined 600            the clips joined to one file of ten minutes

Both get the same weights (tiny.en), the same samples, and as many threads; transformers writes as its `generate` does,
greedily and without falling back. What is timed is from the file to text, by the clock and as the work of all cores (on
a machine that others use, only the second compares); opening the model is told beside it.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import minigpt
from minigpt.measure.words import words_of, wrong_words
from minigpt.sound import RATE, Resampler
from minigpt.speech.special import special_of

CLIPS = Path("/usr/share/pocketsphinx/test/data/librivox")  # Debian's package pocketsphinx-testdata


def samples_of(path: str) -> np.ndarray:
    """A whole file at 16,000 samples a second."""
    sound = minigpt.open_wav(path)
    return Resampler(sound.rate, RATE).all_of(sound.read(0, sound.length))


def ours(paths: list[str], folder: str) -> dict:
    """Texts and seconds."""
    start = time.perf_counter()
    model = minigpt.open_model(folder)
    opened, busy = time.perf_counter(), time.process_time()
    texts = ["".join(s.text for s in minigpt.transcribe(model, minigpt.open_wav(path))) for path in paths]
    return took(start, opened, busy) | {"texts": texts}


def their_model(folder: str | Path):
    """The weights of `prepare`, with its settings, in transformers."""
    import transformers

    transformers.logging.set_verbosity_error()
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    for name, value in json.loads((Path(folder) / "generation.json").read_text(encoding="utf-8")).items():
        setattr(model.generation_config, name, value)
    return model


def theirs(paths: list[str], folder: str) -> dict:
    """The same, of transformers."""
    import torch
    import transformers

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    start = time.perf_counter()
    model = their_model(folder)
    extractor = transformers.WhisperFeatureExtractor()
    tokenizer = minigpt.open_model(folder).tokenizer
    opened, busy, texts = time.perf_counter(), time.process_time(), []
    end = model.generation_config.eos_token_id
    for path in paths:
        samples = samples_of(path)
        is_long = len(samples) > 30 * RATE
        given = extractor(
            samples, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True, truncation=not is_long,
            padding="longest" if is_long else "max_length",
        )  # fmt: skip
        with torch.no_grad():
            ids = model.generate(given.input_features, attention_mask=given.attention_mask, return_timestamps=is_long)
        texts.append(tokenizer.decode([token for token in ids[0].tolist() if token < end]))
    return took(start, opened, busy) | {"texts": texts}


def took(start: float, opened: float, busy: float) -> dict[str, float]:
    """Seconds: to open the model, and to write by the clock and of all cores' work."""
    return {
        "open": opened - start,
        "write": time.perf_counter() - opened,
        "busy": time.process_time() - busy,
    }


def prepare(folder: Path) -> None:
    """The weights as transformers opens them, and the settings of its own tiny.en."""
    opened = minigpt.open_model("whisper")
    special = special_of(opened.model, opened.tokenizer)
    minigpt.save_pretrained(
        folder, opened.model, opened.params, "whisper", "WhisperForConditionalGeneration", tokenizer=opened.tokenizer
    )
    settings = {
        "suppress_tokens": special.suppressed.tolist(),
        "begin_suppress_tokens": special.suppressed_first.tolist(),
        "no_timestamps_token_id": special.no_times,
        "max_initial_timestamp_index": 50,
        "is_multilingual": False,
        "decoder_start_token_id": special.start,
        "eos_token_id": special.end,
        "pad_token_id": special.end,
        "bos_token_id": special.end,
        "max_length": 448,
    }
    (folder / "generation.json").write_text(json.dumps(settings), encoding="utf-8")


def run(who: str, paths: list[str], folder: Path, threads: int) -> dict:
    """One of the two in a fresh process."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environment = {**os.environ, **counts, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, __file__, "--worker", who, "--folder", str(folder), "--wav", *paths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wav", nargs="+", help="files; default: Debian's clips")
    parser.add_argument("--joined", type=int, help="join the files to one of so many seconds, or a little more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--worker", choices=("minigpt", "transformers"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        found = (ours if arguments.worker == "minigpt" else theirs)(arguments.wav, arguments.folder)
        print(json.dumps({**found, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    paths = arguments.wav or [str(path) for path in sorted(CLIPS.glob("*.wav"))]
    lines = (CLIPS / "transcription").read_text(encoding="utf-8") if CLIPS.is_dir() else ""
    said = {name: words for words, name in re.findall(r"^<s> (.*) </s> \((.*)\)$", lines, re.MULTILINE)}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        if arguments.joined:
            clips = [np.append(samples_of(path), np.zeros(RATE // 2)) for path in paths]
            often = -(-arguments.joined * RATE // sum(map(len, clips)))
            said = {"joined": " ".join(said.get(Path(path).stem, "") for path in paths * often)}
            paths = [str(Path(folder) / "joined.wav")]
            minigpt.write_wav(paths[0], np.tile(np.concatenate(clips), often), RATE)
        seconds = sum(minigpt.open_wav(path).seconds for path in paths)
        rounds = [
            {who: run(who, paths, Path(folder), arguments.threads) for who in ("minigpt", "transformers")}
            for _ in range(arguments.rounds)
        ]
    print(f"{seconds:.1f} s of sound in {len(paths)} files, {arguments.threads} threads, {arguments.rounds} rounds")
    print(f"{'':14}seconds for a second of sound: clock, median (all)     cores   open, s   memory, MB   words wrong")
    for who in ("minigpt", "transformers"):
        factors = sorted(one[who]["write"] / seconds for one in rounds)
        work = sorted(one[who]["busy"] / seconds for one in rounds)
        wanted = [words_of(said.get(Path(path).stem, "")) for path in paths]
        pairs = zip(rounds[0][who]["texts"], wanted, strict=True)
        wrong, total = sum(wrong_words(words_of(text), words) for text, words in pairs), sum(map(len, wanted))
        print(
            f"{who:14}{factors[len(factors) // 2]:.3f} ({', '.join(f'{factor:.3f}' for factor in factors)})"
            f"{work[len(work) // 2]:>12.3f}{min(one[who]['open'] for one in rounds):>10.1f}"
            f"{max(one[who]['megabytes'] for one in rounds):>13.0f}{f'{wrong} of {total}' if total else '-':>14}"
        )
    same = [a == b for a, b in zip(rounds[0]["minigpt"]["texts"], rounds[0]["transformers"]["texts"], strict=True)]
    print(f"equal texts: {sum(same)} of {len(same)}")


if __name__ == "__main__":
    main()
