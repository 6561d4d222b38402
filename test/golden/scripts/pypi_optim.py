"""Writes test/golden/optim_pypi.json: Lion by lion-pytorch 0.2.5 and Muon by pytorch_optimizer 4.1.0, whose Newton-Schulz steps are
told to compute in float32 instead of bfloat16. Run: python pypi_optim.py > test/golden/optim_pypi.json"""
import functools
import json

import numpy as np
import torch
from lion_pytorch import Lion
from pytorch_optimizer.optimizer.muon import base
from pytorch_optimizer.optimizer.muon.muon import Muon

base.zero_power_via_newton_schulz_5 = functools.partial(base.zero_power_via_newton_schulz_5, dtype=torch.float32)

P = 0.5 * np.cos(np.arange(6)).reshape(2, 3)
Q = 0.2 * np.sin(1 + np.arange(3))


def grads(t):
    return np.sin(0.7 * np.arange(6) + t).reshape(2, 3), 0.3 * np.cos(np.arange(3) + 0.5 * t)


def run(name, optimizer, make, args, tall=False):
    p, q = (torch.nn.Parameter(torch.tensor(x, dtype=torch.float32)) for x in (P, Q))
    if tall:
        p = torch.nn.Parameter(p.detach().reshape(3, 2).clone())
    opt = make(p, q)
    steps = []
    for t in range(5):
        for x, g in zip((p, q), grads(t)):
            x.grad = torch.tensor(g, dtype=torch.float32).reshape(x.shape)
        opt.step()
        steps.append({"p": p.detach().flatten().tolist(), "q": q.detach().flatten().tolist()})
    return {"name": name, "optimizer": optimizer, "args": args, "tall": tall, "steps": steps}


def muon(lr, scale, **more):
    def make(p, q):
        groups = [
            {"params": [p], "lr": lr, "use_muon": True, **more},
            {"params": [q], "lr": lr * scale, "use_muon": False, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": more.get("weight_decay", 0.0)},
        ]
        return Muon(groups, foreach=False)
    return make


out = [
    run("lion", "lion", lambda p, q: Lion([p, q], lr=0.01, betas=(0.9, 0.99)), {"lr": 0.01}),
    run("lion_decay", "lion", lambda p, q: Lion([p, q], lr=0.01, betas=(0.95, 0.98), weight_decay=0.1),
        {"lr": 0.01, "betas": [0.95, 0.98], "weight_decay": 0.1}),
    run("muon", "muon", muon(0.02, 0.5, momentum=0.95, nesterov=True, weight_decay=0.1),
        {"lr": 0.02, "weight_decay": 0.1, "adamw_lr_scale": 0.5}),
    run("muon_tall", "muon", muon(0.02, 0.5, momentum=0.9, nesterov=False, ns_steps=7, weight_decay=0.0),
        {"lr": 0.02, "momentum": 0.9, "nesterov": False, "ns_steps": 7, "adamw_lr_scale": 0.5}, tall=True),
    run("muon_moonlight", "muon", muon(0.02, 0.5, momentum=0.95, nesterov=True, use_adjusted_lr=True, weight_decay=0.0),
        {"lr": 0.02, "adjust_lr": "match_rms_adamw", "adamw_lr_scale": 0.5}),
]
print(json.dumps({"runs": out}))
