"""Speech: what is said in a sound, by a Whisper."""

from minigpt.speech.subtitles import srt, timed, vtt
from minigpt.speech.transcribe import Segment, transcribe

__all__ = ["Segment", "srt", "timed", "transcribe", "vtt"]
