"""NeMo's RNNEncoder (nemo_toolkit 2.7.3) in all its forms, with the formula weights of nemo_encoders.py: outputs, a loss
and its gradients, test/golden/rnn_encoders.json.

    python test/golden/scripts/nemo_rnn_encoders.py test/golden

NeMo's direction from the end reads the padding of a batch before the utterance; with it, the values here are of
utterances computed one by one, which have no padding.
"""
import json
import sys

import torch

from nemo.collections.asr.modules import RNNEncoder

from nemo_encoders import record, together

base = dict(feat_in=8, n_layers=2, d_model=8, proj_size=6, dropout=0.0)
RNN = {
    "bidirectional": dict(subsampling="stacking"),
    "unidirectional": dict(subsampling="stacking_norm", subsampling_factor=3, bidirectional=False),
    "striding": dict(bidirectional=False, subsampling_conv_channels=4),
    "dw_striding": dict(subsampling="dw_striding", subsampling_factor=2, n_layers=1),
    "whole_rate": dict(subsampling_factor=1, n_layers=1),
}


def alone(encoder, x, lengths):
    """Each utterance by itself; [B,d,T'] with zeros beyond the lengths."""
    parts = [encoder(audio_signal=x[b : b + 1, :, :n], length=lengths[b : b + 1]) for b, n in enumerate(lengths)]
    longest = max(part.shape[2] for part, _ in parts)
    outputs = [torch.nn.functional.pad(part, (0, longest - part.shape[2])) for part, _ in parts]
    return torch.cat(outputs), torch.cat([length for _, length in parts])


def main(folder):
    result = {}
    for name, config in RNN.items():
        forward = alone if config.get("bidirectional", True) else together
        result[name] = record(RNNEncoder, {**base, **config}, forward=forward)
    with open(f"{folder}/rnn_encoders.json", "w") as f:
        json.dump(result, f, separators=(",", ":"))


main(sys.argv[1])
