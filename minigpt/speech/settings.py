"""What the files beside a Whisper say of how it writes.

Followed are the tokens that are never written, those that begin no text, and how late a text may begin. A setting that
asks for something else than is done here is refused by name.
"""

from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.pretrained.ctranslate2 import is_ctranslate2
from minigpt.pretrained.folder import CONFIG
from minigpt.pretrained.named import NAMED
from minigpt.speech.special import Special
from minigpt.values import about, list_of, read, shown, whole

GENERATION = "generation_config.json"
SUPPRESSED, FIRST, LATEST = "suppress_tokens", "begin_suppress_tokens", "max_initial_timestamp_index"
FORCED = "forced_decoder_ids"
CTRANSLATE2 = {"suppress_ids": SUPPRESSED, "suppress_ids_begin": FIRST}
AS_IT_IS_DONE = {  # what a setting may say, beside nothing
    "is_multilingual": (False,),
    "task": ("transcribe",),
    "do_sample": (False,),
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "temperature": (0.0, 1.0),  # 1 is what is not written down by older programs; nothing is drawn with it
    "repetition_penalty": (1.0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "length_penalty": (1.0,),
    "min_length": (0,),
    "condition_on_prev_tokens": (False,),
    "compression_ratio_threshold": (2.4, 1.35),  # of zlib here; transformers' 1.35 counts tokens
    "logprob_threshold": (-1.0,),
    "no_speech_threshold": (0.6,),
}
CHANGES_NOTHING = {  # of what is not done here, or asked in another way
    "alignment_heads",
    "bos_token_id",
    "lang_to_id",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prev_sot_token_id",
    "return_dict_in_generate",
    "return_timestamps",
    "task_to_id",
    "top_k",
    "top_p",
    "transformers_version",
    "typical_p",
    "use_cache",
}


def settings_of(name: str) -> tuple[Path | None, dict[str, Any]]:
    """The file that says how a model writes, and what it says; None and nothing for what has no such file."""
    folder = Path(name)
    if name in NAMED or not folder.is_dir():
        return None, {}
    if (folder / GENERATION).exists():
        return folder / GENERATION, read_json(folder / GENERATION)
    if not (folder / CONFIG).exists():
        return None, {}
    said = read_json(folder / CONFIG)
    if is_ctranslate2(folder):
        return folder / CONFIG, {CTRANSLATE2[key]: value for key, value in said.items() if key in CTRANSLATE2}
    return folder / CONFIG, {key: said[key] for key in (SUPPRESSED, FIRST, FORCED) if key in said}


def following(special: Special, settings: tuple[Path | None, dict[str, Any]], context: int) -> Special:
    """The special tokens as the settings want them; what these do not speak of stays. context: of the decoder.

    `UserError` names a setting that is not followed.
    """
    path, said = settings
    with about(path or "settings"):
        said = {key: value for key, value in said.items() if value is not None and not key.startswith("_")}
        for key, value in said.items():
            _check(key, value, special, context)
        ids, times = list_of(whole(0, special.zero - 1)), whole(0, 1500)
        return special._replace(
            suppressed=_array(read(said, SUPPRESSED, ids, special.suppressed)),
            suppressed_first=_array(read(said, FIRST, ids, special.suppressed_first)),
            latest_first=read(said, LATEST, times, special.latest_first),
        )


def _check(key: str, value: Any, special: Special, context: int) -> None:
    """`UserError` unless what is done here is what the setting asks for."""
    wanted: dict[str, tuple[Any, ...]] = {
        **AS_IT_IS_DONE,
        "decoder_start_token_id": (special.start,),
        "eos_token_id": (special.end, [special.end]),
        "no_timestamps_token_id": (special.no_times,),
        "max_length": (context,),
        FORCED: ([], [[1, special.no_times]]),
    }
    if key in (SUPPRESSED, FIRST, LATEST) or key in CHANGES_NOTHING or value in wanted.get(key, (False,)):
        return
    allowed = " or ".join(map(shown, wanted[key])) if key in wanted else "leave it out"
    raise UserError(f"{key} is {shown(value)}, which is not followed; {allowed}{' is' if key in wanted else ''}")


def _array(ids: Any) -> np.ndarray:
    return np.array(ids, np.int64)
