"""The table of `minigpt gradcheck`."""

from functools import partial

from minigpt.check import CONFIGS, OPERATIONS, format_rows, gradcheck_rows, table
from minigpt.check.cases import Case, find_case
from minigpt.ops import softmax_forward


def test_every_operation_and_every_model_that_there_is_stands_in_it(monkeypatch):
    # Single entries of the same models are compared in test_check_model.py.
    monkeypatch.setattr(table, "check_model", partial(table.check_model, samples=0))
    some = {name: CONFIGS[name] for name in [*list(CONFIGS)[:2], *list(CONFIGS)[-1:]]}
    monkeypatch.setattr(table, "CONFIGS", some)
    rows = gradcheck_rows()
    assert {row["operation"].split(",")[0] for row in rows} == {*OPERATIONS, "transformer"}
    assert {row["operation"] for row in rows if "transformer" in row["operation"]} == {
        f"transformer, {name}" for name in some
    }
    assert all(row["passed"] for row in rows)
    assert max(row["max_relative_error"] for row in rows) < 1e-6
    assert {("attention", "key"), ("layer_norm", "gain"), ("linear, no bias", "weight")} <= {
        (row["operation"], row["argument"]) for row in rows
    }
    names = [(row["operation"], row["argument"]) for row in rows]
    assert len(set(names)) == len(names)
    assert {("transformer, GPT-2", "attention.query.weight"), ("transformer, GPT-2", "final_norm.gain")} <= set(names)
    assert not [argument for _, argument in names if argument.startswith("blocks")]  # one row for all blocks
    lines = format_rows(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert lines[-1] == f"{len(rows)} of {len(rows)} gradients are right"
    column = lines[0].index("max relative error")
    assert all(
        line[column:].startswith(f"{row['max_relative_error']:.1e}")
        for line, row in zip(lines[1:-1], rows, strict=True)
    )


def test_a_wrong_gradient_shows(monkeypatch):
    class Wrong(Case):
        def check(self, *args, **kwargs):
            return super().check(softmax_forward, lambda dy, cache: dy * cache.y * (1 - cache.y))

    right = find_case("softmax")
    monkeypatch.setattr(table, "CASES", (find_case("relu"), Wrong("softmax", "", right.make)))
    monkeypatch.setattr(table, "CONFIGS", {})
    rows = gradcheck_rows()
    assert [row["passed"] for row in rows] == [True, False]
    assert rows[1]["max_relative_error"] > 0.1
    text = format_rows(rows)
    assert "WRONG" in text
    assert text.endswith("1 of 2 gradients are right")
