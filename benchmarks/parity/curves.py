"""Trains four models with NeMo's own training_step, optimizer, schedule and Lightning's Trainer: 50 steps over batches
that are written down for the other side, with the weights they start from."""
import copy
import json

import lightning.pytorch as lightning
import torch
from cases import LABELS, common, ctc_decoder, encoder, preprocessor, transducer
from compute import front_end, loss_without_gpu, targets_of
from material import batch
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from nemo.collections.asr import models
from nemo.collections.asr.data.audio_to_text_dali import DALIOutputs
from nemo.collections.asr.losses.rnnt_pytorch import RNNTLossPytorch

STEPS = 50
BATCHES = 5
CLIP = 1.0


def runs(tokenizer):
    noam = {"name": "adamw", "lr": 0.1, "betas": [0.9, 0.98], "weight_decay": 1e-3, "sched": {"name": "NoamAnnealing", "d_model": 32, "warmup_steps": 20, "warmup_ratio": None, "min_lr": 1e-6}}
    cosine = {"name": "adamw", "lr": 2e-3, "betas": [0.9, 0.98], "weight_decay": 1e-3, "sched": {"name": "CosineAnnealing", "warmup_steps": 10, "min_lr": 1e-5, "max_steps": STEPS}}
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
        "hybrid": ("EncDecHybridRNNTCTCBPEModel", {**common(encoder(**small, subsampling="dw_striding", conv_norm_type="layer_norm"), front), **bpe, **transducer(32, hidden=24, joint=24, dropout=0.0), "aux_ctc": {"ctc_loss_weight": 0.3, "use_cer": False, "ctc_reduction": "mean_batch", "decoder": ctc_decoder(), "decoding": {"strategy": "greedy"}}, "optim": noam}),
        "tdt": ("EncDecRNNTBPEModel", {**common(encoder(**small, subsampling="dw_striding", subsampling_factor=8, untie_biases=False), front), **bpe, **tdt, "optim": cosine}),
    }


class Losses(lightning.Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, _trainer, _model, outputs, _batch, _index):
        self.values.append(float(outputs["loss"]))


def fit(model, batches):
    """Losses of the steps."""
    keep = Losses()
    trainer = lightning.Trainer(max_steps=STEPS, max_epochs=-1, accelerator="cpu", gradient_clip_val=CLIP, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[keep])
    model.set_trainer(trainer)
    loader = torch.utils.data.DataLoader([batches[i % BATCHES] for i in range(STEPS)], batch_size=None)
    trainer.fit(model, train_dataloaders=loader)
    return keep.values


def train_all(folder, tokenizer, only, double):
    (folder / "curves").mkdir(parents=True, exist_ok=True)
    for index, (name, (kind, config)) in enumerate(runs(tokenizer).items()):
        if only and only not in name:
            continue
        config = {key: value for key, value in config.items() if key not in ("spec_augment", "train_ds", "validation_ds")}
        torch.manual_seed(index)
        model = getattr(models, kind)(cfg=OmegaConf.create(config))
        loss_without_gpu(model)
        path = folder / "curves" / name
        model.save_to(f"{path}.nemo")
        given, written = [], {}
        model.eval()
        for i in range(BATCHES):
            # NeMo's TDT loss without a GPU is a loop over the lattice in Python.
            size = {"size": 2, "longest": 1.4} if name == "tdt" else {}
            samples, lengths, texts = batch(9000 + 10 * index + i, **size)
            audio, sizes = torch.tensor(samples), torch.tensor(lengths)
            targets, target_lengths = targets_of(model, texts, LABELS)
            features, frames = front_end(model, audio, sizes)
            given.append((audio, sizes, targets, target_lengths, features, frames))
            written.update({f"{i}.features": features, f"{i}.lengths": frames, f"{i}.targets": targets, f"{i}.target_lengths": target_lengths})
        save_file({key: value.float().contiguous().numpy() for key, value in written.items()}, f"{path}.safetensors")
        model.train()
        start = copy.deepcopy(model.state_dict())
        losses = fit(model, [one[:4] for one in given])
        end = copy.deepcopy(model.state_dict())
        save_file({key: value.float().contiguous().numpy() for key, value in end.items() if value.is_floating_point()}, f"{path}.end.safetensors")
        exact = in_double(getattr(models, kind)(cfg=OmegaConf.create(config)), start, given) if double and name != "tdt" else None
        path.with_suffix(".json").write_text(json.dumps({"losses": losses, "exact": exact, "clip": CLIP, "batches": BATCHES}) + "\n")
        print(f"trained {name}: loss {losses[0]:.4f} to {losses[-1]:.4f}", flush=True)


def in_double(model, start, given):
    """The same run in double precision, from the same features; None where NeMo cannot."""
    model.load_state_dict(start)
    loss_without_gpu(model)
    model.double()
    if hasattr(model, "joint"):
        model.loss._force_float32 = False
        if type(model.loss._loss).__name__ == "RNNTLossNumba":
            model.loss._loss = RNNTLossPytorch(blank=model.loss._blank, reduction=None)
    batches = [DALIOutputs({"processed_signal": f.double(), "processed_signal_len": n, "transcript": t, "transcript_len": u}) for _, _, t, u, f, n in given]
    torch.set_default_dtype(torch.float64)
    try:
        return fit(model, batches)
    except (RuntimeError, TypeError) as error:
        print("  no double precision:", str(error).splitlines()[0])
        return None
    finally:
        torch.set_default_dtype(torch.float32)
