"""NeMo's half of the comparison.

    python nemo_side.py make DIR --seed 1 --count 32   models as DIR/nemo/*.nemo, and what NeMo computes with them
    python nemo_side.py curves DIR                     models as DIR/curves/*.nemo, and NeMo's losses in training
    python nemo_side.py check DIR                      restores DIR/ours/*.nemo with strict=True and compares
    python nemo_side.py trained DIR                    restores what trained.ts trained, and trains it on
"""
import argparse
import json
import os
import pathlib
import re
import sys

import numpy
import torch
from cases import LABELS, cases, recurrent_cases
from compute import gradients, gradients64, hypotheses, liven, loss_without_gpu, shake, stages, targets_of
from drawn import drawn
from material import batch, tokenizer
from omegaconf import OmegaConf
from safetensors.numpy import load_file, save_file

import nemo
from nemo.collections.asr import models
from nemo.collections.asr.models import ASRModel
from nemo.utils import logging

logging.setLevel(logging.ERROR)
torch.set_num_threads(1)


def arrays(tensors):
    return {name: value.detach().cpu().float().contiguous().numpy() for name, value in tensors.items()}


def write_facts(folder, **more):
    path = folder / "facts.json"
    facts = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**facts, "nemo": nemo.__version__, "torch": torch.__version__, **more}) + "\n")


def runs(config):
    """Newer versions of NeMo fail in the forward pass of 1-D subsampling."""
    old = tuple(int(n) for n in nemo.__version__.split(".")[:2]) < (2, 5)
    return old or "conv1d" not in str(config["encoder"].get("subsampling"))


def make(folder, options):
    """What is there already is not made again, so that an interrupted run goes on."""
    (folder / "nemo").mkdir(parents=True, exist_ok=True)
    folders = {kind: tokenizer(folder / kind, kind) for kind in ("bpe", "unigram")}
    write_facts(folder, seed=options.seed, count=options.count)
    # Cases have their seeds by their place: new ones come last.
    wanted = {**cases(folders["bpe"], nemo.__version__), **drawn(options.seed, options.count, folders, nemo.__version__), **recurrent_cases(folders["bpe"])}
    for index, (name, (kind, config)) in enumerate(wanted.items()):
        if (options.only and not re.search(options.only, name)) or (folder / "nemo" / f"{name}.json").exists():
            continue
        if not runs(config):
            print(f"left out {name}: this version of NeMo cannot run {config['encoder']['subsampling']}")
            continue
        seed = options.seed * 1000 + index
        torch.manual_seed(seed)
        model = getattr(models, kind)(cfg=OmegaConf.create(config))
        loss_without_gpu(model)
        shake(model, seed)
        rows, sizes, texts = batch(seed, size=3)
        samples, lengths = torch.tensor(rows), torch.tensor(sizes)
        targets, target_lengths = targets_of(model, texts, LABELS)
        liven(model, samples, lengths, seed)
        model.save_to(str(folder / "nemo" / f"{name}.nemo"))
        found = stages(model, samples, lengths, targets, target_lengths)
        features, frames = found["processed_signal"], found["processed_signal_length"]
        out = {"samples": samples, "lengths": lengths, "targets": targets, "target_lengths": target_lengths}
        out.update({f"stage.{key}": value for key, value in found.items()})
        trained = gradients(model, features, frames, targets, target_lengths)
        out.update({f"train.{key}": value for key, value in trained.items()})
        said = hypotheses(model, found["encoder.outputs"], found["encoder.encoded_lengths"])
        exact = gradients64(model, features, frames, targets, target_lengths) if options.double else None
        if exact:
            out.update({f"exact.{key}": value for key, value in exact.items()})
        save_file(arrays(out), folder / "nemo" / f"{name}.safetensors")
        facts = {"texts": texts, "hypotheses": said, "normalize": config["preprocessor"]["normalize"], "seed": seed}
        (folder / "nemo" / f"{name}.json").write_text(json.dumps(facts) + "\n")
        first = next(iter(said.values()))
        tokens = [len(t) for t in first.get("tokens", first.get("texts", []))]
        print("made", name, f"frames {found['encoder.encoded_lengths'].tolist()}, tokens {tokens}, loss {float(trained['loss']):.3f}", flush=True)
    return 0


def curves(folder, options):
    from curves import train_all

    train_all(folder, tokenizer(folder / "bpe", "bpe"), options.only, options.double)
    write_facts(folder)
    return 0


def check(folder, _options):
    results = []
    for path in sorted((folder / "ours").glob("*.nemo")):
        model = ASRModel.restore_from(str(path), map_location="cpu", strict=True)
        loss_without_gpu(model)
        wanted = load_file(path.with_suffix(".safetensors"))
        facts = json.loads(path.with_suffix(".json").read_text())
        samples, lengths = torch.tensor(wanted["samples"]), torch.tensor(wanted["lengths"]).long()
        targets, target_lengths = targets_of(model, facts["texts"], LABELS)
        found = arrays(stages(model, samples, lengths, targets, target_lengths))
        texts = int(numpy.abs(numpy.asarray(wanted["targets"]) - targets.numpy()).max())
        row = {"case": path.stem, "class": model.__class__.__name__, "other_tokens": texts, "stages": {}}
        for name, ours in wanted.items():
            if not name.startswith("stage."):
                continue
            theirs = found[name[6:]]
            assert theirs.shape == ours.shape, (path.name, name, theirs.shape, ours.shape)
            # Behind an utterance's end each may leave what it likes; ours has zeros there.
            valid = ours != 0
            row["stages"][name[6:]] = float(abs(theirs - ours)[valid].max(initial=0) / (max(1e-9, abs(float(theirs))) if name.startswith("stage.loss") else 1))
        results.append(row)
        print(f"{path.stem:36} {row['class']:30} largest difference {max(row['stages'].values()):.1e}", flush=True)
    (folder / "check.json").write_text(json.dumps(results) + "\n")
    return 0


def trained(folder, _options):
    import lightning.pytorch as lightning

    where = folder / "trained"
    model = ASRModel.restore_from(str(where / "run/checkpoints/tones.nemo"), map_location="cpu", strict=True)
    rows = [json.loads(line) for line in (where / "all.json").read_text().splitlines()]
    found = model.transcribe([str(where / row["audio_filepath"]) for row in rows], batch_size=1, verbose=False)
    found = found[0] if isinstance(found, tuple) else found
    found = [getattr(one, "text", one) for one in found]
    ours = json.loads((where / "transcripts.json").read_text())
    equal = sum(a == b for a, b in zip(found, ours))
    print(f"{equal} of {len(rows)} transcripts equal, {sum(a == row['text'] for a, row in zip(found, rows))} right")
    model.setup_training_data(model.cfg.train_ds)
    trainer = lightning.Trainer(
        max_steps=5, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    model.set_trainer(trainer)
    trainer.fit(model)
    trainer.save_checkpoint(where / "lightning.ckpt")
    print(f"trained on for {trainer.global_step} steps, loss {float(trainer.callback_metrics['train_loss']):.4f}")
    return 0 if equal == len(rows) else 1


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["make", "curves", "check", "trained"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--only", help="cases whose names match this regular expression")
    parser.add_argument("--double", action="store_true", help="gradients and curves in double precision, too: who is nearer to the truth?")
    given = parser.parse_args()
    sys.exit(globals()[given.command](given.folder.resolve(), given))
