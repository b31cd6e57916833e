"""The bill, against exact counts, a published table, and what really happens."""

import json

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError, preset
from minigpt.cli import main
from minigpt.measure import scale
from minigpt.parallel.schedule import idle_share, schedule, timeline

# Narayanan et al. (2021), table 1: 10^9 parameters, heads, hidden, layers, tensor, pipeline, GPUs, batch, TFLOP/s.
TABLE = [
    (1.7, 24, 2304, 24, 1, 1, 32, 512, 137),
    (7.5, 32, 4096, 36, 4, 1, 128, 512, 142),
    (39.1, 64, 8192, 48, 8, 2, 512, 1536, 138),
    (145.6, 96, 12288, 80, 8, 8, 1536, 2304, 148),
    (1008.0, 160, 25600, 128, 8, 64, 3072, 3072, 163),
]
rows = pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}B")


def model(row):
    _, heads, width, layers, *_ = row
    return TransformerConfig(vocabulary_size=51200, context=2048, width=width, layers=layers, heads=heads)


def layout_of(row):
    *_, tensor, pipeline, gpus, _, _ = row
    return scale.Layout(tensor=tensor, pipeline=pipeline, data=gpus // (tensor * pipeline))


def their_flops(row):
    _, _, h, layers, *_, batch, _ = row
    return 96 * batch * 2048 * layers * h**2 * (1 + 2048 / (6 * h) + 51200 / (16 * layers * h))


@pytest.mark.parametrize(
    ("name", "count"),
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_gpt2_to_the_last_parameter(name, count):
    assert scale.count_parameters(preset(name)) == count


def test_the_count_is_that_of_real_arrays():
    config = preset("tiny", vocabulary_size=99)
    assert scale.count_parameters(config) == Transformer(config).init(np.random.default_rng(0)).flat.size


@rows
def test_parameters_of_the_published_table(row):
    count = scale.count_parameters(model(row))
    assert count / 1e9 == pytest.approx(row[0], rel=0.01 if row[0] > 2 else 0.03)  # 1.65 is printed as 1.7
    assert count == pytest.approx(scale.formula_parameters(row[3], row[2], 51200, 2048), rel=0.001)


@rows
def test_operations_equal_the_published_formula(row):
    assert scale.step_flops(model(row), row[7]) == pytest.approx(their_flops(row), rel=1e-9)


@rows
def test_step_time_of_the_published_table(row):
    """The ledger's own assumptions, without knowing what was achieved."""
    cluster = scale.Cluster(gpus=row[6])
    seconds = scale.step_time(model(row), layout_of(row), row[7], cluster).total
    published = their_flops(row) / row[6] / (row[8] * 1e12)
    assert seconds == pytest.approx(published, rel=0.1)
    assert scale.memory(model(row), layout_of(row), row[7]).total < cluster.memory


def test_a_trillion_parameters_take_84_days():
    row = TABLE[-1]
    seconds = scale.step_flops(model(row), row[7]) / row[6] / (row[8] * 1e12)
    assert scale.training_days(450e9, seconds, row[7], 2048) == pytest.approx(84, rel=0.1)
    assert scale.layouts(model(row), row[7], scale.Cluster(gpus=3072))
    assert not scale.layouts(model(row), row[7], scale.Cluster(gpus=64))


@pytest.mark.parametrize(("stages", "micros"), [(1, 3), (2, 5), (4, 1), (4, 4), (4, 16), (3, 64)])
@pytest.mark.parametrize("name", ["gpipe", "1f1b"])
def test_the_bubble_is_that_of_the_schedule(name, stages, micros):
    events = timeline([schedule(name, stage, stages, micros) for stage in range(stages)])
    assert idle_share(events) == pytest.approx((stages - 1) / (micros + stages - 1), abs=1e-12)
    assert scale.idle_share(scale.Layout(pipeline=stages), micros) == pytest.approx(idle_share(events), abs=1e-12)
    assert len(events) == 2 * stages * micros


def test_1f1b_keeps_fewer_activations():
    def most_waiting(actions):
        return int(np.max(np.cumsum([1 if action == "forward" else -1 for action, _ in actions])))

    assert [most_waiting(schedule("gpipe", stage, 4, 16)) for stage in range(4)] == [16] * 4
    assert [most_waiting(schedule("1f1b", stage, 4, 16)) for stage in range(4)] == [4, 3, 2, 1]


def test_a_schedule_that_can_never_end_is_refused():
    with pytest.raises(UserError, match="wait for each other for ever"):
        timeline([[("backward", 0), ("forward", 0)]])


def test_zero_slices_what_it_says():
    config = preset("gpt2-xl")
    rooms = [scale.memory(config, scale.Layout(data=8, zero=zero), 8) for zero in range(4)]
    plain = rooms[0]
    assert rooms[1][:3] == (plain.weights, plain.gradients, plain.optimizer / 8)
    assert rooms[2][:3] == (plain.weights, plain.gradients / 8, plain.optimizer / 8)
    assert rooms[3][:3] == (plain.weights / 8, plain.gradients / 8, plain.optimizer / 8)
    assert sum(plain[:3]) == 16 * scale.count_parameters(config)


@rows
def test_step_time_at_the_speed_that_was_achieved(row):
    """Nothing but products, at the published speed: what the table says a step took."""
    achieved = scale.Cluster(gpus=row[6], peak=row[8] * 1e12, efficiency=1)
    seconds = scale.step_time(model(row), layout_of(row), row[7], achieved).products
    assert seconds == pytest.approx(their_flops(row) / row[6] / (row[8] * 1e12), rel=0.05)


def test_activations_are_kept_where_there_is_room():
    """A small model has room, and computing again only takes time; the trillion does not."""
    layout, _ = scale.layouts(preset("gpt2"), 512, scale.Cluster())[0]
    assert not layout.recompute
    layout, _ = scale.layouts(model(TABLE[-1]), TABLE[-1][7], scale.Cluster(gpus=3072))[0]
    assert layout.recompute


def test_the_command_prints_json_and_text(capsys):
    assert main(["scale", "--preset", "gpt2", "--json"]) == 0
    bill = json.loads(capsys.readouterr().out)
    assert bill["parameters"] == 124_439_808
    assert bill["layout"]["tensor"] == 1
    stored = bill["activations_of_a_gpu"]
    assert stored["recomputed"] < stored["kept"] == bill["memory_of_a_gpu"]["activations"]
    sizes = ["--layers", "128", "--heads", "160", "--width", "25600", "--vocab", "51200", "--context", "2048"]
    assert main(["scale", *sizes, "--gpus", "8"]) == 0
    said = capsys.readouterr().out
    assert "1,008,038,758,400" in said
    assert "none fits" in said
    assert "efficiency" in said


def test_bad_input_is_named(capsys):
    with pytest.raises(UserError, match="multiple of 6"):
        scale.micro_batches(scale.Layout(data=3, micro_batch=2), 16)
    assert main(["scale", "--peak", "0"]) == 2
    assert "--peak is 0, but it must be above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "value", "says"), [
    ("--tokens", "-5", "--tokens is -5, but it must be above 0"),
    ("--tokens", "nan", "--tokens is nan"),
    ("--efficiency", "5", "--efficiency is 5, but it must be above 0 and at most 1"),
    ("--memory", "inf", "--memory is inf"),
])  # fmt: skip
def test_a_number_that_nothing_can_have_is_named(capsys, flag, value, says):
    assert main(["scale", flag, value]) == 2
    assert says in capsys.readouterr().err


def test_sizes_that_nobody_built_are_refused_and_the_largest_take_a_moment(capsys):
    with pytest.raises(SystemExit):
        main(["scale", "--layers", "100000000000"])
    assert "more than 1,000,000" in capsys.readouterr().err
    assert main(["scale", "--layers", "1000000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 1_000_000 * 7_087_872 + (50257 + 1024 + 2) * 768


def test_assumptions_have_units(capsys):
    assert main(["scale"]) == 0
    shown = capsys.readouterr().out.split("assumed:")[1]
    assert "80 GB" in shown and "312 TFLOPS" in shown and "25 GB/s" in shown and "e+" not in shown


@pytest.mark.parametrize("changes", [
    {"experts": 7, "experts_per_token": 2, "layers": 5},
    {"architecture": "encoder-decoder", "layers": 4, "encoder": {"layers": 9, "heads": 2}},
    {"gated": True, "bias": False, "norm": "rms", "layers": 6, "tied": False},
])  # fmt: skip
def test_the_count_from_few_layers_is_that_of_all_arrays(changes):
    config = TransformerConfig(**{"vocabulary_size": 31, "context": 7, "width": 12, "heads": 3, **changes})
    shapes = Transformer(config).shapes().values()
    assert scale.count_parameters(config) == sum(int(np.prod(shape)) for shape in shapes)
