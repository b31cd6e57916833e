"""`minigpt transcribe`: what is said in a sound?"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from minigpt.cli.options import MODEL, add_command, print_json, visible
from minigpt.cli.output import remark
from minigpt.errors import UserError
from minigpt.machine import blas_threads
from minigpt.pretrained import open_model
from minigpt.progress import progress_bar
from minigpt.sound import WavFile, open_wav
from minigpt.sound.wav import convert_with
from minigpt.speech import Segment, srt, timed, transcribe, vtt
from minigpt.speech.transcribe import asked_of

FORMS = {"srt": srt, "vtt": vtt, "timestamps": timed}  # the last is asked for last: the others have times anyway


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "transcribe",
        execute,
        "  minigpt transcribe speech.wav\n"
        "  minigpt transcribe speech.wav --timestamps\n"
        "  minigpt transcribe lecture.wav --srt",
    )
    parser.add_argument("file", help="a WAV file: any rate, width and length, mono or not")
    parser.add_argument("--model", default="whisper", help=f"an English Whisper (default whisper): {MODEL}")
    parser.add_argument(
        "--timestamps",
        action="store_true",
        help="show from when to when each piece is said; --json, --srt and --vtt do so without it",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print text, times and probabilities for programs")
    forms.add_argument("--srt", action="store_true", help="print subtitles in the form of SubRip")
    forms.add_argument("--vtt", action="store_true", help="print subtitles in the form of WebVTT")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the chance with which a text that repeats itself is written again"
    )


def execute(arguments) -> int:
    """Print the transcript, each piece as soon as it is there; an interrupt keeps what was printed."""
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    sound = open_wav(arguments.file)
    opened = open_model(arguments.model)
    asked_of(opened)
    if sound.missing:
        remark(f"{arguments.file} was cut off: {sound.missing / sound.rate:.1f} s are missing at its end")
    if sound.unread:
        remark(
            f"{arguments.file} speaks of {sound.seconds:.1f} s; the {sound.unread:,} bytes after them are not read: if "
            f"they are sound, convert it again: {convert_with(sound.path)}"
        )
    form = next((name for name in FORMS if getattr(arguments, name)), None)
    with (
        blas_threads(None),
        progress_bar(total=round(sound.seconds), desc="transcribing", unit=" s") as bar,
    ):
        times = form is not None or arguments.json
        segments = transcribe(opened, sound, timestamps=times, seed=arguments.seed, progress=bar)
        if arguments.json:
            return _print_json(arguments.file, sound, segments)
        for piece in FORMS[form](segments) if form else (segment.text.strip() for segment in segments):
            print("\n".join(visible(line) for line in piece.split("\n")), flush=True)
    return 0


def _print_json(file: str, sound: WavFile, segments: Iterator[Segment]) -> int:
    """One table; after an interrupt it has what was found until then."""
    found: list[dict[str, Any]] = []
    complete = False
    try:
        for segment in segments:
            found.append(asdict(segment))
        complete = True
    except KeyboardInterrupt:
        remark("interrupted")
    print_json(
        {
            "file": file,
            "seconds": sound.seconds,
            "missing": sound.missing / sound.rate,
            "unread_bytes": sound.unread,
            "complete": complete,
            "text": "".join(segment["text"] for segment in found).strip(),
            "segments": found,
        }
    )
    return 0 if complete else 130
