"""Makes test/fixtures/torch: small files of torch.save, and what is in them as JSON.

    python test/golden/scripts/torch_files.py test/fixtures/torch
"""
import argparse
import collections
import json
import pathlib
import sys

import torch

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(1)

base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
tensors = collections.OrderedDict(
    f32=torch.randn(3, 4),
    f64=torch.randn(2, 2, dtype=torch.float64),
    f16=torch.randn(5).half(),
    bf16=torch.randn(5).bfloat16(),
    i64=torch.tensor(-(2**40)),
    i32=torch.tensor([1, -2, 3], dtype=torch.int32),
    i16=torch.tensor([[-300, 300]], dtype=torch.int16),
    i8=torch.tensor([-1, 1], dtype=torch.int8),
    u8=torch.tensor([0, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
    empty=torch.zeros(0, 4),
    shared=base,
    transposed=base.t(),
    strided=base[1:, ::2],
    expanded=torch.tensor([1.5]).expand(2, 3),
    parameter=torch.nn.Parameter(torch.randn(2)),
)


class Config:
    def __init__(self):
        self.hidden = 3


def save(name, value, **options):
    torch.save(value, out / name, **options)


module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
save("zip.pt", tensors)
save("legacy.pt", tensors, _use_new_zipfile_serialization=False)
save("module.pt", module.state_dict())
lightning = {
    "epoch": 3,
    "global_step": 1200,
    "pytorch-lightning_version": "2.5.0",
    "state_dict": module.state_dict(),
    "optimizer_states": [{"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.98)}]}],
    "hyper_parameters": argparse.Namespace(hidden=3, size=torch.Size([2, 3]), dtype=torch.float32),
    "callbacks": {"best": pathlib.PurePosixPath("a/b"), "names": {"x"}, "scores": collections.defaultdict(list, a=[1])},
}
save("lightning.ckpt", lightning)

expected = {
    name: {"shape": list(t.shape), "values": t.detach().to(torch.float64).flatten().tolist()}
    for name, t in {**tensors, **{f"module.{k}": v for k, v in module.state_dict().items()}}.items()
}
(out / "expected.json").write_text(json.dumps({"torch": torch.__version__, "tensors": expected}) + "\n")
