"""Archives with adapters, made by NeMo itself, and what NeMo computes with them (nemo_toolkit 2.4.1).

    PYTHONPATH=benchmarks/parity python test/golden/scripts/nemo_adapters.py test/fixtures/nemo

puts adapters into the archives that benchmarks/parity/fixture.py made: hybrid-adapters (linear ones in encoder, prediction
network and joint; one is disabled) and ctc-adapters (attention and linear in the encoder, linear before the classifier).
Beside each NAME.nemo lies NAME.safetensors with every stage's output and, as grad.*, the gradients of the loss with
respect to the adapters' weights; and adapters.pt, what save_adapters writes.
"""
import pathlib
import sys

import numpy
import torch
from nemo_side import compute, transcript
from omegaconf import OmegaConf, open_dict
from safetensors.numpy import save_file

from nemo.collections.asr.models import ASRModel

out = pathlib.Path(sys.argv[1]).resolve()
samples = torch.tensor(numpy.sin(numpy.arange(4800) ** 1.3 / 40) * 0.3, dtype=torch.float32)[None]
LINEAR = "nemo.collections.common.parts.adapter_modules.LinearAdapter"
MHA = "nemo.collections.asr.parts.submodules.adapters.multi_head_attention_adapter_module."
STRATEGY = "nemo.core.classes.mixins.adapter_mixin_strategies.ResidualAddAdapterStrategy"


def linear(dim, **more):
    return {"_target_": LINEAR, "in_features": 8, "dim": dim, **more}


ADAPTERS = {
    "hybrid-bpe": ("hybrid-adapters", {
        "encoder:first": linear(4, adapter_strategy={"_target_": STRATEGY, "stochastic_depth": 0.0, "l2_lambda": 0.0}),
        "off": linear(2),
        "encoder:second": linear(3, activation="relu", norm_position="post"),
        "decoder+joint:shared": linear(5, activation="selu"),
    }),
    "ctc-char": ("ctc-adapters", {
        "encoder:tiny": {"_target_": f"{MHA}RelPositionMultiHeadAttentionAdapter", "n_feat": 8, "n_head": 2, "proj_dim": 4, "dropout_rate": 0.0},
        "encoder:whole": {"_target_": f"{MHA}RelPositionMultiHeadAttentionAdapter", "n_feat": 8, "n_head": 2, "proj_dim": None, "dropout_rate": 0.0},
        "encoder:line": linear(4),
        "decoder:head": linear(3),
    }),
}


def gradients(model):
    model.zero_grad()
    length = torch.tensor([samples.shape[1]])
    with torch.no_grad():
        features, frames = model.preprocessor(input_signal=samples, length=length)
    encoded, lengths = model.encoder(audio_signal=features, length=frames)
    targets, target_lengths = transcript(model)
    ctc = getattr(model, "ctc_decoder", model.decoder)(encoder_output=encoded)
    ctc_loss = getattr(model, "ctc_loss", model.loss)
    loss = ctc_loss(log_probs=ctc, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
    if hasattr(model, "joint"):
        predicted, _, _ = model.decoder(targets=targets, target_length=target_lengths)
        logits = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
        rnnt = model.loss(log_probs=logits, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
        loss = 0.7 * rnnt + 0.3 * loss
    loss.backward()
    found = {f"grad.{n}": p.grad.numpy() for n, p in model.named_parameters() if p.requires_grad and p.grad is not None}
    return {**found, "loss.total": loss.detach().numpy()}


for base, (name, adapters) in ADAPTERS.items():
    config = ASRModel.restore_from(str(out / f"{base}.nemo"), return_config=True)
    with open_dict(config):
        config.encoder._target_ = "nemo.collections.asr.modules.conformer_encoder.ConformerEncoderAdapter"
    model = ASRModel.restore_from(str(out / f"{base}.nemo"), override_config_path=config, map_location="cpu")
    for key, adapter in adapters.items():
        model.add_adapter(key, OmegaConf.create(adapter))
    model.set_enabled_adapters("off", False) if "off" in adapters else None
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "adapter_layer" in key:
                value.add_(0.3 * torch.randn(value.shape, generator=generator))
    model.freeze()
    model.unfreeze_enabled_adapters()
    stages = compute(model, samples)
    model.eval()
    save_file({**stages, **gradients(model)}, out / f"{name}.safetensors")
    model.save_to(str(out / f"{name}.nemo"))
    if hasattr(model, "joint"):
        model.save_adapters(str(out / "adapters.pt"))
    print(name, sorted(k for k in model.state_dict() if "adapter" in k))
    print(OmegaConf.to_yaml(model.cfg.adapters), model.cfg.encoder._target_)
