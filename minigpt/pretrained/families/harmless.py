"""Settings of config.json that change no answer of a model: every other one is read, compared, or refused by name."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from minigpt.errors import UserError
from minigpt.values import shown

HARMLESS = re.compile(
    "|".join(
        (
            r"_.*",  # what transformers notes for itself, such as _name_or_path
            r"architectures|model_type|auto_map|transformers_version|transformers\.js_config|is_llama_config",
            r"(torch_)?dtype|torchscript|use_bfloat16|tf_legacy_loss|xla_device|unsloth_\w+|adapters",
            r"num_labels|id2label|label2id|problem_type|finetuning_task|task_specific_params|prefix|tokenizer_class",
            r"(\w+_)?token_ids?|suppress_tokens|begin_suppress_tokens|bad_words_ids|n_special|predict_special_tokens",
            r"(\w+_)?dropout(_\w+)?|\w+_pdrop|(\w+_)?layerdrop|gradient_checkpointing|neftune_noise_alpha",
            r"return_dict\w*|output_\w+|use_cache|chunk_size_feed_forward|model_max_length",
            r"(max|min)_(length|new_tokens)|do_sample|early_stopping|num_beams|num_beam_groups|num_return_sequences",
            r"temperature|top_[kp]|typical_p|\w+_penalty|(encoder_)?no_repeat_ngram_size|remove_invalid_values",
            r"n_ctx|summary_\w+|reorder_and_upcast_attn",  # GPT-2: of the head with two answers; how it is computed
            r"directionality|pooler_(type|\w*fc\w*|num_attention_heads|size_per_head)",  # BERT: of a pooler nobody has
            r"force_bos_token_to_be_generated|save_step|student_\w+_layers|replacing_rate",  # BART
        )
    )
)
NEUTRAL: dict[str, Any] = {  # what a setting may say without asking for anything
    "is_decoder": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "tie_encoder_decoder": False,
    "tie_word_embeddings": True,
    "position_embedding_type": "absolute",
    "add_bias_logits": False,
    "do_blenderbot_90_layernorm": False,
    "extra_pos_embeddings": 2,
    "rope_interleaved": False,
    "sliding_window": None,
    "use_sliding_window": False,
    "partial_rotary_factor": 1.0,
}


def check_known(theirs: Mapping[str, Any], read: Collection[str]) -> None:
    """`UserError` for the first setting that is neither read, nor harmless, nor says nothing.

    An empty value, or none, asks for nothing whatever its name.
    """
    for name, value in theirs.items():
        empty = value is None or value in ({}, [], "")
        if name in read or empty or HARMLESS.fullmatch(name) or (name in NEUTRAL and value == NEUTRAL[name]):
            continue
        if name in NEUTRAL:
            raise UserError(f"models with {name} = {shown(value)} are not supported; it must be {NEUTRAL[name]!r}")
        raise UserError(
            f"models with {name} = {shown(value)} are not supported, since it is not known what that does; "
            "leave it out of the file if it does nothing"
        )
