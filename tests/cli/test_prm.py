"""``codegym prm label | train | evaluate``, with a policy that has random weights and one that tells."""

from __future__ import annotations

import json

import pytest
import tyro
from helpers.prm_worlds import TellingSampler, toy_programs
from tyro.extras import SubcommandApp

from codegym.cli import prm
from codegym.sampling import TransformersSampler
from codegym.scorers.labels import read_label_card, read_labels, to_row
from codegym.scorers.prm import ProcessRewardModel
from codegym.scorers.prm.report import PRMQualityError


def run(*arguments: object) -> int:
    app = SubcommandApp()
    for name, command in {"label": prm.label, "train": prm.train, "evaluate": prm.evaluate}.items():
        app.command(name=name)(command)
    return app.cli(args=[str(argument) for argument in arguments], config=(tyro.conf.FlagCreatePairsOff,))


def write_labels(path, programs=400):
    path.write_text("".join(json.dumps(to_row(program)) + "\n" for program in toy_programs(programs)))


def test_label_with_a_policy_from_a_folder(policy_folder, tmp_path, capsys):
    out = tmp_path / "labels.jsonl"
    command = ["label", policy_folder, "--tasks", "arithmetic", "--num-tasks", 3, "--out", out, "--max-tokens", 12]
    command += ["--num-completions", 4, "--sandbox", "process"]
    assert run(*command) == 0
    found, card = read_labels(out), read_label_card(out)
    assert len(found) == 3 and {program.label_class for program in found} == {"wrong"}  # it has never seen a program
    assert card["settings"]["about"]["tasks"] == "arithmetic" and card["cost"]["completions"] >= 3
    assert run(*command) == 0 and read_label_card(out) == card | {"cost": read_label_card(out)["cost"]}
    assert "3 programs of" in " ".join(capsys.readouterr().out.split())


def test_label_train_and_eval_in_a_row(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TransformersSampler, "load", lambda *_, **__: TellingSampler(0.7))
    labels, folder = tmp_path / "labels.jsonl", tmp_path / "prm"
    tasks = ["--tasks", "arithmetic", "--num-tasks", 20, "--sandbox", "process"]
    assert run("label", "no/policy", *tasks, "--out", labels) == 0
    assert {program.label_class for program in read_labels(labels)} <= {"correct", "wrong"}
    write_labels(labels)
    options = ["--width", 32, "--num-layers", 1, "--epochs", 4, "--learning-rate", 0.003, "--holdout-fraction", 0.2]
    assert run("train", labels, "--out", folder, *options) == 0
    assert "balanced accuracy" in capsys.readouterr().out
    assert run("evaluate", folder, labels) == 0
    shown = capsys.readouterr().out
    card = ProcessRewardModel.load(folder).card
    assert card["labels"]["settings"]["num_completions"] == 20 and card["training"]["learned"]["programs"] > 200
    assert f"{card['report']['balanced_accuracy']:.3f}" in shown
    assert run("evaluate", folder, labels, "--all-tasks", "--target", "hard") == 0


def test_a_model_that_learned_nothing_is_saved_and_told(tmp_path):
    labels, folder = tmp_path / "labels.jsonl", tmp_path / "prm"
    write_labels(labels, 60)
    with pytest.raises(PRMQualityError):
        run(
            "train",
            labels,
            "--out",
            folder,
            "--width",
            32,
            "--learning-rate",
            1e-9,
            "--epochs",
            1,
            "--holdout-fraction",
            0.3,
        )
    assert not ProcessRewardModel.load(folder).card["report"]["balanced_accuracy"] > 0.6
    with pytest.raises(PRMQualityError):
        run("evaluate", folder, labels)


def test_what_cannot_be_is_told(policy_folder, tmp_path):
    with pytest.raises(ValueError, match="--num-tasks is missing"):
        run("label", policy_folder, "--tasks", "arithmetic", "--out", tmp_path / "labels.jsonl")
    with pytest.raises(ValueError, match="expected a name that ends in .jsonl"):
        run("label", policy_folder, "--tasks", "arithmetic", "--out", tmp_path / "labels")
