"""A checkpoint is whole or absent, and only the right one is accepted."""

import errno
import json
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.files import write_text
from minigpt.optim import adamw
from minigpt.train import load_checkpoint, save_checkpoint

CONFIG = TransformerConfig(vocabulary_size=7, context=5, width=8, layers=1, heads=2)


@pytest.fixture
def saved(tmp_path):
    """(path, params, state) of a checkpoint on disk."""
    params = Transformer(CONFIG).init(np.random.default_rng(0))
    state = adamw().init(params.flat)
    state["first_moment"] += 0.5
    state["step"] = 17
    save_checkpoint(tmp_path / "last.safetensors", CONFIG, params, state, {"step": 17})
    return tmp_path / "last.safetensors", params, state


def test_what_was_saved_comes_back(saved):
    path, params, state = saved
    fresh = adamw().init(np.zeros_like(params.flat))
    loaded, progress = load_checkpoint(path, CONFIG, state=fresh)
    assert np.array_equal(loaded.flat, params.flat)
    assert progress == {"step": 17}
    assert fresh["step"] == 17
    assert all(np.array_equal(fresh[name], state[name]) for name in ("first_moment", "second_moment"))


def test_only_one_file_is_left(saved):
    path, params, state = saved
    save_checkpoint(path, CONFIG, params, state, {"step": 18})
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("length", [0, 7, 8, 200, -1])
def test_a_truncated_checkpoint_is_refused(saved, length):
    path, _, _ = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match="damaged or not a minigpt checkpoint"):
        load_checkpoint(path, CONFIG)


def test_a_header_of_absurd_length_is_refused(saved):
    path, _, _ = saved
    path.write_bytes(b"\xff" * 7 + b"\x00" + path.read_bytes()[8:])
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path, CONFIG)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(UserError, match="was not written by minigpt"):
        load_checkpoint(path, CONFIG)
    path.write_text("not a checkpoint at all", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path, CONFIG)
    with pytest.raises(UserError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "missing.safetensors", CONFIG)


@pytest.mark.parametrize("change", [{"width": 16}, {"layers": 2}, {"norm": "rms"}, {"context": 6}])
def test_a_checkpoint_of_another_configuration_is_refused_by_name(saved, change):
    name = next(iter(change))
    with pytest.raises(UserError, match=f"another configuration: its {name} is"):
        load_checkpoint(saved[0], replace(CONFIG, **change))


def test_tensors_that_do_not_fit_the_header_are_refused(tmp_path, saved):
    header = {"config": CONFIG.to_dict(), "optimizer": {}, "progress": {}}
    metadata = {"format": "minigpt checkpoint 1", "json": json.dumps(header)}
    path = tmp_path / "odd.safetensors"
    save_file({"model.token_embedding.weight": np.zeros((7, 9), np.float32)}, path, metadata=metadata)
    with pytest.raises(UserError, match=r"token_embedding\.weight has shape"):
        load_checkpoint(path, CONFIG)
    save_file({"model.token_embedding.weight": np.zeros((7, 8), np.float32)}, path, metadata=metadata)
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path, CONFIG)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_checkpoint_whole(saved, monkeypatch, failing):
    path, params, state = saved
    before = path.read_bytes()

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(UserError, match="No space left on device; free some space"):
        save_checkpoint(path, CONFIG, params, state, {"step": 18})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_checkpoint_has_the_permissions_of_any_new_file(saved, umask):
    path, params, state = saved
    former = os.umask(umask)
    try:
        save_checkpoint(path, CONFIG, params, state, {"step": 18})
    finally:
        os.umask(former)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_permission_denied_is_called_that(saved, monkeypatch, number):
    path, params, state = saved

    def refused(*_args, **_options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(path), "touch", refused)
    with pytest.raises(UserError, match=f"could not write .*: {os.strerror(number)}; .*choose another folder"):
        save_checkpoint(path, CONFIG, params, state, {"step": 18})
    monkeypatch.setattr("builtins.open", refused)
    if number == errno.EACCES:
        with pytest.raises(UserError, match="could not be read: Permission denied; ask for the right"):
            load_checkpoint(path, CONFIG)


def test_a_checkpoint_that_somebody_has_open_is_replaced_a_moment_later(saved, monkeypatch):
    """Windows refuses to replace an open file; a virus scanner or an indexer lets go of it soon."""
    path, params, state = saved
    replace_file, refusals = os.replace, iter(range(3))

    def busy(source, target):
        if next(refusals, None) is not None:
            raise PermissionError(errno.EACCES, "Access is denied")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", busy)
    save_checkpoint(path, CONFIG, params, state, {"step": 18})
    assert load_checkpoint(path, CONFIG)[1] == {"step": 18}
    refusals = iter(range(1000))
    with pytest.raises(UserError, match=r"could not write .*: Access is denied; ask for the right"):
        save_checkpoint(path, CONFIG, params, state, {"step": 19})
    assert load_checkpoint(path, CONFIG)[1] == {"step": 18} and os.listdir(path.parent) == [path.name]


def test_a_folder_that_is_gone_is_not_made_again(saved):
    path, params, state = saved
    elsewhere = path.parent / "gone" / "last.safetensors"
    with pytest.raises(UserError, match="its folder is gone; put it back"):
        save_checkpoint(elsewhere, CONFIG, params, state, {"step": 18})
    assert not elsewhere.parent.exists()


@pytest.mark.parametrize("former", ["minigpt checkpoint 1", "minigpt checkpoint 2"])
def test_files_without_checksums_still_open_and_a_new_one_cannot_pass_for_one(saved, former):
    path, params, _ = saved
    whole = path.read_bytes()
    header = {"config": CONFIG.to_dict(), "optimizer": {}, "progress": {"step": 3}}
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in params.items()}
    save_file(tensors, path, metadata={"format": former, "json": json.dumps(header)})
    assert np.array_equal(load_checkpoint(path, CONFIG)[0].flat, params.flat)
    path.write_bytes(whole.replace(b"minigpt checkpoint 3", former.encode()))
    with pytest.raises(UserError, match="checksum of its header is another"):
        load_checkpoint(path, CONFIG)
    path.write_bytes(whole.replace(b'"checksum"', b'"checksim"'))
    with pytest.raises(UserError, match="checksum of its header is another"):
        load_checkpoint(path, CONFIG)


@pytest.mark.skipif(os.name == "nt", reason="file-size limits do not exist on Windows")
def test_a_disk_that_fills_up_while_writing_leaves_the_old_checkpoint_whole(saved):
    import resource
    import signal

    path, params, state = saved
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(UserError, match="could not write"):
            save_checkpoint(path, CONFIG, params, state, {"step": 18})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match="which no file may replace"):
            write_text(tmp_path / name, "x")
    assert stat.S_ISFIFO(os.stat(tmp_path / "link").st_mode)
