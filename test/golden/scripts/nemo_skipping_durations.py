"""Writes test/golden/skipping_durations.json: TDT whose durations leave out 0 or 1, by NeMo's own searches and
TDTLossPytorch (nemo_toolkit 2.7.3, PyTorch, CPU). Run: python3 nemo_skipping_durations.py

Networks, weights and searches are those of decoding.py; the loss has the inputs of the other losses' golden files."""
import json, os, sys
import torch

sys.argv = [sys.argv[0], ""]
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import decoding
from nemo.collections.asr.losses.rnnt_pytorch import TDTLossPytorch

torch.Tensor.cuda = lambda self: self  # The class asks for a GPU that it does not need.


def searches(durations):
    decoding.DURATIONS = durations
    decoding.RNNT_BEAMS = decoding.HAT_BEAMS = []
    decoding.TDT_BEAMS = [(name, args) for name, args in decoding.TDT_BEAMS if "ngram_lm_model" not in args]
    found = decoding.searches()
    return {**found, "entries": [e for e in found["entries"] if e["kind"] == "tdt"]}


def loss(durations, sigma):
    B, T, U, V = 2, 6, 4, 4
    n = V + 1 + len(durations)
    logits = 2 * torch.sin(0.57 * torch.arange(B * T * U * n, dtype=torch.float64) + 0.9)
    logits = logits.float().reshape(B, T, U, n).requires_grad_()
    labels, frames, tokens = [[1, 3, 0], [2, 2, 1]], [6, 4], [3, 1]
    f = TDTLossPytorch(blank=V, durations=durations, reduction=None, sigma=sigma)
    costs = f(acts=logits, labels=torch.tensor(labels), act_lens=torch.tensor(frames), label_lens=torch.tensor(tokens))
    (gradient,) = torch.autograd.grad(costs.sum(), logits)
    return {"durations": durations, "sigma": sigma, "shape": [B, T, U, n], "labels": labels, "frames": frames, "tokens": tokens,
            "loss": costs.tolist(), "gradient": gradient.flatten().tolist()}


LISTS = [[1, 2, 4, 8], [0, 2, 4], [1, 2]]
data = {"nemo": "2.7.3", "losses": [loss(d, s) for d in LISTS for s in (0.0, 0.05)],
        "searches": [searches(d) for d in ([1, 2, 4, 8], [0, 2, 4])]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../skipping_durations.json"), "w") as f:
    json.dump(data, f)
    f.write("\n")
