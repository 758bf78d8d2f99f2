"""Checkpoints: the state of modules and optimizers with the position in the run."""

from __future__ import annotations

import pytest
import torch

from codegym.sampling import load_checkpoint, save_checkpoint


def make_parts():
    layer = torch.nn.Linear(2, 1)
    return {"model": layer, "optimizer": torch.optim.AdamW(layer.parameters())}


def test_smallest_use(tmp_path):
    saved, loaded = make_parts(), make_parts()
    save_checkpoint(tmp_path / "run" / "checkpoint.pt", saved, {"step": 3})
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", loaded) == {"step": 3}
    assert torch.equal(saved["model"].weight, loaded["model"].weight)


def test_without_a_file_nothing_is_loaded(tmp_path):
    assert load_checkpoint(tmp_path / "checkpoint.pt", make_parts()) is None


def test_a_checkpoint_of_another_key_changes_nothing(tmp_path):
    file, parts = tmp_path / "checkpoint.pt", make_parts()
    save_checkpoint(file, make_parts(), {"key": "a"})
    before = parts["model"].weight.clone()
    with pytest.raises(ValueError, match="a checkpoint of another run: got"):
        load_checkpoint(file, parts, key="b")
    assert torch.equal(parts["model"].weight, before)
    assert load_checkpoint(file, parts, key="a") == {"key": "a"}


def test_an_interruption_leaves_the_previous_checkpoint(tmp_path):
    file = tmp_path / "checkpoint.pt"
    save_checkpoint(file, make_parts(), {"step": 1})

    class Interrupted:
        def state_dict(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(file, {"model": Interrupted()}, {"step": 2})
    position = load_checkpoint(file, make_parts())
    assert position == {"step": 1}
