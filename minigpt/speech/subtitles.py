"""Transcripts as subtitles: SubRip (.srt) and WebVTT (https://www.w3.org/TR/webvtt1/)."""

from collections.abc import Iterable, Iterator

from minigpt.speech.transcribe import Segment


def clock(seconds: float, *, mark: str = ".", hours: bool = True) -> str:
    """HH:MM:SS.mmm; without hours MM:SS.mmm, unless there are some. mark: before the thousandths."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    whole = f"{minutes // 60:02d}:" if hours or minutes >= 60 else ""
    return f"{whole}{minutes % 60:02d}:{thousandths // 1000:02d}{mark}{thousandths % 1000:03d}"


def srt(segments: Iterable[Segment]) -> Iterator[str]:
    """SubRip, a block for each segment."""
    for number, segment in enumerate(segments, 1):
        start, end = (clock(at, mark=",") for at in (segment.start, segment.end))
        yield f"{number}\n{start} --> {end}\n{segment.text.strip().replace('-->', '->')}\n"


def vtt(segments: Iterable[Segment]) -> Iterator[str]:
    """WebVTT, a head and a block for each segment."""
    yield "WEBVTT\n"
    for segment in segments:
        text = segment.text.strip().replace("&", "&amp;").replace("<", "&lt;").replace("-->", "--&gt;")
        yield f"{clock(segment.start)} --> {clock(segment.end)}\n{text}\n"


def timed(segments: Iterable[Segment]) -> Iterator[str]:
    """A line for each segment, its times before it."""
    for segment in segments:
        start, end = clock(segment.start, hours=False), clock(segment.end, hours=False)
        yield f"[{start} --> {end}] {segment.text.strip()}"
