"""Every exercise of the course: in which lesson it is, what it is worth, and how it is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigpt.check import OPERATIONS
from minigpt.grade import answers as a
from minigpt.grade import answers_data as d
from minigpt.grade import answers_masks as m
from minigpt.grade import answers_objectives as o
from minigpt.grade import answers_parallel as p
from minigpt.grade import answers_scale as s


@dataclass(frozen=True)
class Exercise:
    """A function (or an operation, NAME_forward and NAME_backward) that a student writes."""

    name: str
    lesson: str
    points: int
    draw: Callable[[Any], tuple[list[Any], dict[str, Any]]] | None = None  # None: an operation of `minigpt.check`
    right: Callable | None = None
    mistakes: tuple[Callable, ...] = ()

    @property
    def functions(self) -> tuple[str, ...]:
        """What a file must hold at least one of to attempt it."""
        return (self.name,) if self.right else (f"{self.name}_forward", f"{self.name}_backward")


def _plain(lesson, points, draw, right, *mistakes):
    return Exercise(right.__name__, lesson, points, draw, right, mistakes)


L00, L01, L02 = "00_reading_the_article", "01_text_to_tokens", "02_self_attention"
L03, L04, L05 = "03_feed_forward", "04_decoder_only", "05_backprop"
L06, L07 = "06_optimizers", "07_encoder_decoder"
L08, L09 = "08_masked_lm_and_the_decoder", "09_objectives"
L10, L11, L12 = "10_scaling", "11_model_parallelism", "12_data_parallelism"
POINTS = {  # of the operations that lessons ask for; the first lesson that asks is named
    "attention": (L02, 5),
    "relu": (L03, 2),
    "gelu_tanh": (L03, 4),
    "gated": (L03, 4),
    "rms_norm": (L04, 3),
    "linear": (L05, 3),
    "softmax": (L05, 4),
    "layer_norm": (L05, 5),
    "router": (L10, 3),
}
TABLE = (
    _plain(L00, 2, a.draw_hedges, a.dropped_hedges, a.parts_of_words, a.letter_case),
    _plain(L00, 2, a.draw_stated, a.precision_recall, a.exchanged, a.counts_facts_twice),
    _plain(L01, 2, a.draw_ids, a.count_pairs, a.without_overlap),
    _plain(L01, 3, a.draw_merge, a.merge_pair, a.merges_twice),
    _plain(L01, 3, a.draw_windows, a.next_token_batch, a.targets_not_moved, a.targets_behind),
    _plain(L01, 2, a.draw_loss, a.bits_per_byte, a.in_nats, a.times_log2, a.bytes_per_token),
    _plain(L02, 2, a.draw_mask, a.causal_mask, a.mask_inverted, a.mask_without_diagonal, a.mask_of_the_first),
    _plain(L02, 3, a.draw_heads, a.split_heads, a.reshape_alone, a.interleaved),
    _plain(L04, 3, a.draw_sizes, a.parameter_count, a.without_biases, a.head_not_tied),
    _plain(L04, 4, a.draw_sampling, a.sample_top_k, a.by_likelihood, a.not_renormalized),
    _plain(
        L06,
        4,
        a.draw_step,
        a.adamw_step,
        a.adamw_uncorrected,
        a.adamw_coupled,
        a.adamw_from_zero,
        a.adamw_without_decay,
    ),
    _plain(L06, 2, a.draw_clip, a.clip_by_global_norm, a.clip_each_entry, a.always_scaled),
    _plain(L06, 3, a.draw_schedule, a.warmup_cosine, a.warmup_from_zero, a.cosine_to_zero, a.cosine_goes_on),
    _plain(
        L07,
        2,
        m.draw_prefix,
        m.prefix_mask,
        m.prefix_ignored,
        m.prefix_to_itself,
        m.prefix_sees_all,
        m.prefix_inverted,
    ),
    _plain(L07, 2, m.draw_targets, m.shift_right, m.not_shifted, m.shift_left, m.start_dropped),
    _plain(
        L07,
        4,
        m.draw_crossing,
        m.cross_attention,
        m.padding_attended,
        m.scores_not_divided,
        m.looks_at_itself,
        m.padding_zeroed,
    ),
    _plain(
        L08,
        4,
        m.draw_masking,
        m.mask_tokens,
        m.always_mask,
        m.asks_where_masked,
        m.asks_for_everything,
        m.asks_for_the_inputs,
    ),
    _plain(L08, 3, m.draw_scores, m.masked_loss, m.mean_over_all, m.loss_summed, m.mean_of_rows),
    _plain(L08, 2, m.draw_text, m.one_masked_each, m.future_masked, m.all_but_one_masked),
    _plain(L08, 3, m.draw_sight, m.leaks, m.leaks_in_one_layer, m.leaks_transposed, m.nowhere_is_last),
    _plain(L09, 2, o.draw_rearrange, o.rearrange, o.middle_in_place),
    _plain(L09, 3, o.draw_corrupt, o.corrupt_spans, o.one_sentinel, o.end_lost),
    _plain(L09, 3, o.draw_reward, o.reward_gradient, o.wrong_sign, o.without_baseline, o.summed),
    _plain(
        L10,
        2,
        s.draw_days,
        s.training_days,
        s.without_recomputation,
        s.forward_only,
        s.on_one_gpu,
        s.in_hours,
        s.in_seconds,
    ),
    _plain(
        L10,
        3,
        s.draw_losses,
        s.fit_power_law,
        s.line_without_logarithms,
        s.only_sizes_in_logarithms,
        s.sign_of_the_slope,
        s.scale_in_logarithms,
    ),
    _plain(
        L10,
        4,
        s.draw_law,
        s.compute_optimal,
        s.six_forgotten,
        s.exponents_exchanged,
        s.exponents_not_multiplied,
        s.results_exchanged,
    ),
    _plain(
        L11,
        3,
        p.draw_feed_forward,
        p.shard_feed_forward,
        p.every_size_th,
        p.bias_whole,
        p.columns_of_both,
        p.rows_then_columns,
    ),
    _plain(
        L11,
        4,
        p.draw_shards,
        p.sharded_loss,
        p.own_largest,
        p.largest_forgotten,
        p.loss_of_the_sum,
        p.local_targets,
    ),
    _plain(
        L11,
        4,
        p.draw_stage,
        p.one_forward_one_backward,
        p.all_forwards_first,
        p.one_too_many_ahead,
        p.counted_from_the_front,
        p.last_in_first_out,
        p.rest_forgotten,
    ),
    _plain(L11, 1, p.draw_pipeline, p.idle_share, p.of_working_time, p.all_stages_idle),
    _plain(
        L12,
        3,
        d.draw_workers,
        d.average_gradients,
        d.mean_of_means,
        d.sum_of_means,
        d.not_divided,
        d.divided_by_workers,
    ),
    _plain(
        L12,
        3,
        d.draw_ring,
        d.ring_chunks,
        d.to_the_right,
        d.comes_from_the_left,
        d.always_the_first,
        d.adds_once_more,
    ),
    _plain(L12, 3, d.draw_noise, d.noise_scale, d.noise_inverted, d.squared_sum, d.noise_left_in, d.in_workers),
    *(Exercise(name, *POINTS.get(name, ("", 3))) for name in OPERATIONS),
)
EXERCISES = {exercise.name: exercise for exercise in TABLE}


def find_exercise(name: str) -> Exercise | None:
    """The exercise called so, or the one that a function of that name belongs to."""
    return EXERCISES.get(name) or next((e for e in TABLE if name in e.functions), None)
