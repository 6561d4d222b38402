"""Golden values of the encoders, made by NeMo's own classes (nemo_toolkit 2.4, the numbers of "1.x").

    python test/golden/scripts/nemo_encoders.py test/golden

writes encoders.json: for each variant the state dict's names and shapes, the output in evaluation, a loss in
training (dropout 0), and for each parameter one projection and the length of its gradient; and parameter_counts.json: the
parameters of every stock configuration. Weights and inputs follow the formulas of test/asr/golden.ts.
"""
import json
import math
import sys

import numpy as np
import torch

from nemo.collections.asr.modules.conformer_encoder import ConformerEncoder
from nemo.collections.asr.modules.conv_asr import ConvASREncoder
from nemo.collections.asr.modules.squeezeformer_encoder import SqueezeformerEncoder

torch.set_num_threads(1)


def block(filters, kernel, **more):
    base = dict(filters=filters, repeat=1, kernel=[kernel], stride=[1], dilation=[1], dropout=0.0, residual=False)
    return {**base, **more}


def citrinet_blocks():
    se = dict(separable=True, se=True, se_context_size=-1, se_reduction_ratio=2)
    return [
        block(6, 5, **se),
        block(6, 11, repeat=2, stride=[2], residual=True, stride_last=True, residual_mode="stride_add",
              kernel_size_factor=0.5, **se),
        block(6, 13, repeat=2, residual=True, **se),
        block(10, 4, **se),
    ]


CONV = {
    "citrinet": dict(feat_in=8, activation="relu", conv_mask=True, jasper=citrinet_blocks()),
    "quartznet": dict(feat_in=8, activation="relu", conv_mask=True, jasper=[
        block(6, 7, stride=[2], separable=True),
        block(6, 5, repeat=3, residual=True, separable=True),
        block(8, 9, dilation=[2], separable=True),
        block(10, 1),
    ]),
    "jasper_dense": dict(feat_in=8, activation="relu", conv_mask=True, jasper=[
        block(6, 5, stride=[2]),
        block(6, 5, repeat=2, residual=True, residual_dense=True),
        block(8, 7, repeat=2, residual=True, residual_dense=True),
        block(8, 5, dilation=[2]),
        block(10, 1),
    ]),
    "groups_heads": dict(feat_in=8, activation="swish", conv_mask=True, normalization_mode="group", norm_groups=2, jasper=[
        block(8, 5, separable=True, groups=2),
        block(8, 5, separable=True, heads=4, repeat=2, residual=True),
        block(4, 3, groups=2, stride=[2]),
    ]),
    "future_context": dict(feat_in=8, activation="gelu", conv_mask=True, normalization_mode="layer", jasper=[
        block(8, 7, separable=True, future_context=1, stride=[2]),
        block(8, 5, separable=True, future_context=0, repeat=2, residual=True, residual_mode="max"),
    ]),
    "unmasked": dict(feat_in=8, activation="selu", conv_mask=False, normalization_mode="instance", jasper=[
        block(6, 5, separable=True, repeat=2, residual=True),
        block(6, 3),
    ]),
}

base = dict(feat_in=8, n_layers=2, d_model=8, n_heads=2, conv_kernel_size=5, subsampling_conv_channels=4,
            subsampling_factor=2, dropout=0.0, dropout_pre_encoder=0.0, dropout_emb=0.0, dropout_att=0.0)
CONFORMER = {
    "local": dict(self_attention_model="rel_pos_local_attn", att_context_size=[4, 4]),
    "local_wide": dict(self_attention_model="rel_pos_local_attn", att_context_size=[40, 40]),
    "local_uneven": dict(self_attention_model="rel_pos_local_attn", att_context_size=[5, 3]),
    "local_uneven_ahead": dict(self_attention_model="rel_pos_local_attn", att_context_size=[2, 5]),
    "local_global": dict(self_attention_model="rel_pos_local_attn", att_context_size=[4, 4], global_tokens=1),
    "local_global_separate": dict(self_attention_model="rel_pos_local_attn", att_context_size=[3, 3], global_tokens=1,
                                  global_attn_separate=True, use_bias=False),
    "abs_pos": dict(self_attention_model="abs_pos"),
    "context": dict(att_context_size=[3, 2]),
    "tied": dict(untie_biases=False),
    "no_xscaling": dict(xscaling=False, use_bias=False),
    "pooling": dict(n_layers=3, reduction="pooling", reduction_position=1, reduction_factor=2),
    "pooling_end": dict(reduction="pooling", reduction_position=-1, reduction_factor=2, feat_out=6),
    "reduction_striding": dict(reduction="striding", reduction_position=0, reduction_factor=2, self_attention_model="abs_pos"),
    "vggnet": dict(subsampling="vggnet", subsampling_factor=4),
    "stacking_norm": dict(subsampling="stacking_norm", subsampling_factor=3),
    "striding_conv1d": dict(subsampling="striding_conv1d", subsampling_factor=4),
    "dw_striding_conv1d": dict(subsampling="dw_striding_conv1d", subsampling_factor=4),
    "causal_conv1d": dict(subsampling="striding_conv1d", subsampling_factor=4, causal_downsampling=True),
    "causal_dw": dict(subsampling="dw_striding", subsampling_factor=4, causal_downsampling=True,
                      conv_norm_type="layer_norm", conv_context_size="causal",
                      att_context_size=[4, 1], att_context_style="chunked_limited"),
    "group_norm": dict(conv_norm_type="group_norm2", conv_context_size=[3, 1]),
    "instance_norm": dict(conv_norm_type="instance_norm"),
    "fused_batch_norm": dict(conv_norm_type="fused_batch_norm", feat_out=6),
}

squeeze = dict(feat_in=8, n_layers=4, d_model=8, n_heads=2, conv_kernel_size=5, subsampling_conv_channels=4,
               subsampling_factor=2, dropout=0.0, dropout_emb=0.0, dropout_att=0.0)
SQUEEZEFORMER = {
    "plain": dict(),
    "time_reduction": dict(time_reduce_idx=1),
    "recovery": dict(time_reduce_idx=1, time_recovery_idx=2, adaptive_scale=False, feat_out=6),
    "abs_pos": dict(time_reduce_idx=0, self_attention_model="abs_pos", xscaling=False, subsampling="striding"),
    "context": dict(time_reduce_idx=1, att_context_size=[3, 2], untie_biases=False),
}


def formula(key, p, shape):
    size = int(np.prod(shape))
    s = np.sin(0.7 * np.arange(size) + 1.1 * p)
    if key.endswith("running_var"):
        v = 1 + 0.5 * np.abs(s)
    elif key.endswith("running_mean"):
        v = 0.1 * s
    elif "norm" in key and key.endswith("weight"):
        v = 1 + 0.1 * s
    else:
        v = 0.3 * s
    return torch.tensor(v.reshape(shape), dtype=torch.float32)


def array(t):
    t = t.detach().double().numpy()
    return {"shape": list(t.shape), "data": [float(f"{x:.7g}") for x in t.reshape(-1)]}


def together(encoder, x, lengths):
    return encoder(audio_signal=x, length=lengths)


def record(make, config, frames=45, lengths=(45, 29), forward=together):
    encoder = make(**config)
    state = encoder.state_dict()
    keys = sorted(state)
    written = set()  # tied parameters have several names; the first one's values hold
    with torch.no_grad():
        for p, key in enumerate(keys):
            if not key.endswith("num_batches_tracked") and state[key].data_ptr() not in written:
                written.add(state[key].data_ptr())
                state[key].copy_(formula(key, p, tuple(state[key].shape)))
    bins = config["feat_in"]
    x = torch.tensor(np.sin(0.37 * np.arange(2 * bins * frames) + 0.2).reshape(2, bins, frames), dtype=torch.float32)
    lens = torch.tensor(lengths)
    for b, n in enumerate(lengths):
        x[b, :, n:] = 0
    encoder.eval()
    with torch.no_grad():
        out, out_lens = forward(encoder, x, lens)
    encoder.train()
    trained, _ = forward(encoder, x, lens)
    # Frames beyond the lengths count for nothing.
    weight = torch.tensor(np.sin(0.11 * np.arange(trained.numel()) + 0.5).reshape(trained.shape), dtype=torch.float32)
    for b, n in enumerate(out_lens.tolist()):
        weight[b, :, n:] = 0
    loss = (trained * weight).sum()
    loss.backward()
    gradients = {}
    for name, parameter in encoder.named_parameters(remove_duplicate=True):
        g = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        g = g.double().reshape(-1)
        projection = (g * torch.cos(0.5 * torch.arange(len(g)).double() + 0.3)).sum()
        gradients[name] = [float(f"{float(v):.7g}") for v in (projection, g.norm())]
    return {
        "config": config,
        "lengths": list(lengths),
        "frames": frames,
        "shapes": {key: list(state[key].shape) for key in keys},
        "output": array(out),
        "loss": float(f"{loss.item():.7g}"),
        "out_lengths": out_lens.tolist(),
        "gradients": gradients,
    }


def main(folder):
    result = {
        "conv_asr": {name: record(ConvASREncoder, config) for name, config in CONV.items()},
        "conformer": {name: record(ConformerEncoder, {**base, **config}) for name, config in CONFORMER.items()},
        "squeezeformer": {name: record(SqueezeformerEncoder, {**squeeze, **c}) for name, c in SQUEEZEFORMER.items()},
    }
    with open(f"{folder}/encoders.json", "w") as f:
        json.dump(result, f, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
