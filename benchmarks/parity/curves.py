"""Trains four models with NeMo's own data loader, training_step, optimizer, schedule and Lightning's Trainer: 100 steps
over recordings that are written down for the other side, with one YAML for both and the weights that they start from."""
import copy
import json
import re

import lightning.pytorch as lightning
import torch
from cases import LABELS, common, ctc_decoder, encoder, preprocessor, transducer
from compute import front_end, loss_without_gpu
from material import RATE, batch, save_wav
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from nemo.collections.asr import models
from nemo.collections.asr.data.audio_to_text_dali import DALIOutputs
from nemo.collections.asr.losses.rnnt_pytorch import RNNTLossPytorch

STEPS = 100
RECORDINGS = 22
CLIP = 1.0


# Mild rates: steeper ones amplify rounding until even one engine differs from itself (after 50 steps of CTC with 4e-3).
def runs(tokenizer):
    noam = {"name": "adamw", "lr": 0.03, "betas": [0.9, 0.98], "weight_decay": 1e-3, "sched": {"name": "NoamAnnealing", "d_model": 32, "warmup_steps": 20, "warmup_ratio": None, "min_lr": 1e-6}}
    cosine = {"name": "adamw", "lr": 5e-4, "betas": [0.9, 0.98], "weight_decay": 1e-3, "sched": {"name": "CosineAnnealing", "warmup_steps": 10, "min_lr": 1e-5, "max_steps": STEPS}}
    front = preprocessor(pad_to=16)
    bpe = {"tokenizer": {"dir": tokenizer, "type": "bpe"}}
    small = dict(d_model=32, conv_kernel_size=9, subsampling_conv_channels=8)
    tdt = transducer(32, hidden=24, joint=24, dropout=0.0)
    tdt["joint"]["num_extra_outputs"] = 3
    tdt["decoding"].update({"model_type": "tdt", "durations": [0, 1, 2]})
    tdt["loss"] = {"loss_name": "tdt", "tdt_kwargs": {"durations": [0, 1, 2], "sigma": 0.05}}
    return {
        "ctc": ("EncDecCTCModel", {**common(encoder(**small, conv_norm_type="batch_norm"), front), "labels": LABELS, "decoder": ctc_decoder(feat_in=32, num_classes=len(LABELS), vocabulary=LABELS), "optim": noam}),
        "rnnt": ("EncDecRNNTBPEModel", {**common(encoder(**small, subsampling="dw_striding", subsampling_factor=8, xscaling=False), front), **bpe, **transducer(32, hidden=24, joint=24, dropout=0.0, fused=True), "optim": cosine}),
        "hybrid": ("EncDecHybridRNNTCTCBPEModel", {**common(encoder(**small, subsampling="dw_striding", conv_norm_type="batch_norm"), front), **bpe, **transducer(32, hidden=24, joint=24, dropout=0.0), "aux_ctc": {"ctc_loss_weight": 0.3, "use_cer": False, "ctc_reduction": "mean_batch", "decoder": ctc_decoder(), "decoding": {"strategy": "greedy"}}, "optim": noam}),
        "tdt": ("EncDecRNNTBPEModel", {**common(encoder(**small, subsampling="dw_striding", subsampling_factor=8, untie_biases=False), front), **bpe, **tdt, "optim": cosine}),
    }


class Losses(lightning.Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, _trainer, _model, outputs, _batch, _index):
        self.values.append(float(outputs["loss"]))


def recordings(folder, seed, longest):
    """Writes recordings of very different lengths, the short ones anywhere; returns their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, lengths, texts = batch(seed, size=RECORDINGS, shortest=0.6, longest=longest)
    lines = []
    for i, (row, length, text) in enumerate(zip(samples, lengths, texts)):
        save_wav(folder / f"{i}.wav", row[:length])
        lines.append(json.dumps({"audio_filepath": f"{i}.wav", "duration": float(length) / RATE, "text": text}))
    manifest = folder / "train.jsonl"
    manifest.write_text("\n".join(lines) + "\n")
    return str(manifest)


def fit(model, loader):
    """Losses of the steps; without a loader over the model's own training set."""
    keep = Losses()
    trainer = lightning.Trainer(max_steps=STEPS, max_epochs=-1, accelerator="cpu", gradient_clip_val=CLIP, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[keep])
    model.set_trainer(trainer)
    trainer.fit(model, train_dataloaders=loader)
    return keep.values


def train_all(folder, tokenizer, only, double):
    (folder / "curves").mkdir(parents=True, exist_ok=True)
    for index, (name, (kind, config)) in enumerate(runs(tokenizer).items()):
        if only and not re.search(only, name):
            continue
        path = folder / "curves" / name
        # NeMo's TDT loss without a GPU is a loop over the lattice in Python.
        size, longest = (2, 1.4) if name == "tdt" else (4, 2.6)
        data = {"manifest_filepath": recordings(path, 9000 + index, longest), "sample_rate": RATE, "batch_size": size, "shuffle": False, "num_workers": 0}
        config = {**{key: value for key, value in config.items() if key not in ("spec_augment", "validation_ds")}, "train_ds": data}
        yaml = OmegaConf.create({"name": name, "model": {"target": f"nemo.collections.asr.models.{kind}", **config}, "init_from_nemo_model": f"{path}.nemo"})
        OmegaConf.save(yaml, f"{path}.yaml")
        torch.manual_seed(index)
        model = getattr(models, kind)(cfg=OmegaConf.load(f"{path}.yaml").model)
        loss_without_gpu(model)
        model.save_to(f"{path}.nemo")
        model.train()
        start = copy.deepcopy(model.state_dict())
        model.setup_training_data(model.cfg.train_ds)
        losses = fit(model, None)
        end = copy.deepcopy(model.state_dict())
        save_file({key: value.float().contiguous().numpy() for key, value in end.items() if value.is_floating_point()}, f"{path}.end.safetensors")
        exact = in_double(getattr(models, kind)(cfg=OmegaConf.create(config)), start) if double and name != "tdt" else None
        path.with_suffix(".json").write_text(json.dumps({"losses": losses, "exact": exact, "clip": CLIP}) + "\n")
        print(f"trained {name}: loss {losses[0]:.4f} to {losses[-1]:.4f}", flush=True)


def in_double(model, start):
    """The same run in double precision, from the same features; None where NeMo cannot."""
    model.load_state_dict(start)
    loss_without_gpu(model)
    model.setup_training_data(model.cfg.train_ds)
    given = []
    for audio, sizes, targets, target_lengths in model._train_dl:
        features, frames = front_end(model, audio, sizes)
        given.append((features, frames, targets, target_lengths))
    model.double()
    if hasattr(model, "joint"):
        model.loss._force_float32 = False
        if type(model.loss._loss).__name__ == "RNNTLossNumba":
            model.loss._loss = RNNTLossPytorch(blank=model.loss._blank, reduction=None)
    batches = [DALIOutputs({"processed_signal": f.double(), "processed_signal_len": n, "transcript": t, "transcript_len": u}) for f, n, t, u in given]
    torch.set_default_dtype(torch.float64)
    try:
        return fit(model, torch.utils.data.DataLoader([batches[i % len(batches)] for i in range(STEPS)], batch_size=None))
    except (RuntimeError, TypeError) as error:
        print("  no double precision:", str(error).splitlines()[0])
        return None
    finally:
        torch.set_default_dtype(torch.float32)
