"""Golden values of cache-aware streaming, made by NeMo's own ConformerEncoder (nemo_toolkit 2.4 and 2.7).

    python test/golden/scripts/nemo_streaming.py test/golden/streaming.json

For each variant: the sizes of setup_streaming_params, and the encoder's output step by step (the caches go from one
step to the next), with the chunks cut as CacheAwareStreamingAudioBuffer cuts them. Weights and inputs follow the
formulas of test/asr/golden.ts. Where NeMo fills missing history of the features with zeros (chunks of one frame), the
history is what there is instead, and as many frames fewer are dropped.
"""
import json
import sys

import numpy as np
import torch

from nemo.collections.asr.modules.conformer_encoder import ConformerEncoder

torch.set_num_threads(1)

base = dict(feat_in=8, n_layers=2, d_model=8, n_heads=2, conv_kernel_size=5, subsampling="dw_striding",
            subsampling_factor=8, subsampling_conv_channels=4, causal_downsampling=True, conv_context_size="causal",
            conv_norm_type="layer_norm", att_context_style="chunked_limited", dropout=0.0, dropout_pre_encoder=0.0,
            dropout_emb=0.0, dropout_att=0.0)
VARIANTS = {
    "fastconformer": dict(att_context_size=[6, 1]),
    "no_lookahead": dict(att_context_size=[4, 0], conv_norm_type="batch_norm", subsampling="striding",
                         subsampling_factor=4),
    "several": dict(att_context_size=[[8, 3], [4, 1]], subsampling_factor=4),
    "regular": dict(att_context_style="regular", att_context_size=[5, 0], subsampling_factor=4),
    "regular_lookahead": dict(att_context_style="regular", att_context_size=[5, 1], subsampling_factor=4),
    "stacking": dict(att_context_size=[4, 1], subsampling="stacking", subsampling_factor=3),
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


def pair(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def record(config, frames=75):
    encoder = ConformerEncoder(**{**base, **config})
    state = encoder.state_dict()
    with torch.no_grad():
        for p, key in enumerate(sorted(state)):
            if not key.endswith("num_batches_tracked"):
                state[key].copy_(formula(key, p, tuple(state[key].shape)))
    encoder.eval()
    bins = base["feat_in"]
    x = torch.tensor(np.sin(0.37 * np.arange(bins * frames) + 0.2).reshape(1, bins, frames), dtype=torch.float32)
    cfg = encoder.streaming_cfg
    channel, time, length = encoder.get_initial_cache_state(batch_size=1)
    at, steps = 0, []
    factor = encoder.subsampling_factor
    with torch.no_grad():
        while at < frames:
            first = at == 0
            chunk = pair(cfg.chunk_size)[0 if first else 1]
            shift = pair(cfg.shift_size)[0 if first else 1]
            wanted = pair(cfg.pre_encode_cache_size)[0 if first else 1]
            history = min(wanted, at)
            drop = 0 if first else cfg.drop_extra_pre_encoded - (wanted - history) // factor
            piece = x[:, :, at - history : at + chunk]
            last = at + chunk >= frames
            out, out_len, channel, time, length = encoder.cache_aware_stream_step(
                processed_signal=piece,
                processed_signal_length=torch.tensor([piece.shape[2]]),
                cache_last_channel=channel,
                cache_last_time=time,
                cache_last_channel_len=length,
                keep_all_outputs=last,
                drop_extra_pre_encoded=drop,
            )
            n = int(out_len[0])
            values = out[0, :, :n].T.double().numpy()
            steps.append([[float(f"{v:.7g}") for v in row] for row in values])
            at += shift
    return {
        "config": {**base, **config},
        "frames": frames,
        "sizes": {
            "chunkSize": cfg.chunk_size,
            "shiftSize": cfg.shift_size,
            "cacheDropSize": cfg.cache_drop_size,
            "lastChannelCacheSize": cfg.last_channel_cache_size,
            "validOutLen": cfg.valid_out_len,
            "preEncodeCacheSize": cfg.pre_encode_cache_size,
            "dropExtraPreEncoded": cfg.drop_extra_pre_encoded,
        },
        "steps": steps,
    }


with open(sys.argv[1], "w") as f:
    json.dump({name: record(config) for name, config in VARIANTS.items()}, f, separators=(",", ":"))
