"""Writes test/golden/optim_torch.json: PyTorch's own optimizers and schedules in modes that the NeMo vectors
do not cover, and LAMB from a NumPy transcription of its update (float64). Run: python3 torch_optim.py"""
import json, os
import numpy as np
import torch

P = 0.5 * np.cos(np.arange(6)).reshape(2, 3)
Q = 0.2 * np.sin(1 + np.arange(3))
STEPS = 6


def grads(t):
    return np.sin(0.7 * np.arange(6) + t).reshape(2, 3), 0.3 * np.cos(np.arange(3) + 0.5 * t)


RUNS = [
    ("sgd_plain", "sgd", torch.optim.SGD, {"lr": 0.1}),
    ("sgd_dampening", "sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.02}),
    ("adam_amsgrad", "adam", torch.optim.Adam, {"lr": 0.02, "amsgrad": True, "weight_decay": 0.05}),
    ("adamw_amsgrad", "adamw", torch.optim.AdamW, {"lr": 0.02, "amsgrad": True, "weight_decay": 0.05}),
    ("adagrad_all", "adagrad", torch.optim.Adagrad, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05, "initial_accumulator_value": 0.2}),
    ("rmsprop_all", "rmsprop", torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.7, "centered": True, "weight_decay": 0.05}),
    ("adadelta_all", "adadelta", torch.optim.Adadelta, {"lr": 0.5, "rho": 0.8, "weight_decay": 0.05}),
    ("adamax_all", "adamax", torch.optim.Adamax, {"lr": 0.02, "weight_decay": 0.05}),
    ("rprop_all", "rprop", torch.optim.Rprop, {"lr": 0.02, "etas": [0.4, 1.3], "step_sizes": [0.001, 0.05]}),
]


def run_torch(name, optimizer, cls, args):
    p, q = (torch.nn.Parameter(torch.tensor(x, dtype=torch.float32)) for x in (P, Q))
    opt = cls([p, q], **args)
    steps = []
    for t in range(STEPS):
        for x, g in zip((p, q), grads(t)):
            x.grad = torch.tensor(g, dtype=torch.float32)
        opt.step()
        steps.append({"p": p.detach().flatten().tolist(), "q": q.detach().flatten().tolist()})
    return {"name": name, "optimizer": optimizer, "args": args, "steps": steps}


def run_lamb(name, args):
    o = {"betas": [0.9, 0.999], "eps": 1e-6, "weight_decay": 0.01, "max_grad_norm": 1.0, "bias_correction": True,
         "grad_averaging": True, "adam_w_mode": True, "use_nvlamb": False, **args}
    (b1, b2), x = o["betas"], [P.copy(), Q.copy()]
    m, v, steps = [np.zeros_like(a) for a in x], [np.zeros_like(a) for a in x], []
    for t in range(STEPS):
        gs = list(grads(t))
        norm = np.sqrt(sum((g ** 2).sum() for g in gs))
        if o["max_grad_norm"] and norm > o["max_grad_norm"]:
            gs = [g * o["max_grad_norm"] / norm for g in gs]
        for i, g in enumerate(gs):
            if not o["adam_w_mode"]:
                g = g + o["weight_decay"] * x[i]
            m[i] = b1 * m[i] + ((1 - b1) if o["grad_averaging"] else 1) * g
            v[i] = b2 * v[i] + (1 - b2) * g * g
            c1, c2 = (1 - b1 ** (t + 1), 1 - b2 ** (t + 1)) if o["bias_correction"] else (1, 1)
            u = (m[i] / c1) / (np.sqrt(v[i] / c2) + o["eps"])
            if o["adam_w_mode"]:
                u = u + o["weight_decay"] * x[i]
            ratio = 1.0
            if o["weight_decay"] or o["use_nvlamb"]:
                pn, un = np.linalg.norm(x[i]), np.linalg.norm(u)
                ratio = pn / un if pn > 0 and un > 0 else 1.0
            x[i] = x[i] - o["lr"] * ratio * u
        steps.append({"p": x[0].flatten().tolist(), "q": x[1].flatten().tolist()})
    return {"name": name, "optimizer": "lamb", "args": args, "steps": steps}


def schedule(name, make, **args):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    sched, rates = make(opt, **args), []
    for _ in range(24):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
    return {"name": name, "args": args, "rates": rates}


def plateau(**args):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    sched, rates = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, **args), []
    metrics = [5, 4, 4, 4.1, 4, 3.9999, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2.5, 3, 3, 3]
    for metric in metrics:
        sched.step(metric)
        rates.append(opt.param_groups[0]["lr"])
    return {"name": "ReduceLROnPlateau", "args": args, "metrics": metrics, "rates": rates}


s = torch.optim.lr_scheduler
out = {
    "runs": [run_torch(*r) for r in RUNS] + [
        run_lamb("lamb", {"lr": 0.05}),
        run_lamb("lamb_plain", {"lr": 0.05, "weight_decay": 0.0, "max_grad_norm": 0.0, "grad_averaging": False}),
        run_lamb("lamb_l2_nv", {"lr": 0.05, "adam_w_mode": False, "use_nvlamb": True, "bias_correction": False}),
    ],
    "schedules": [
        schedule("StepLR", s.StepLR, step_size=5, gamma=0.5),
        schedule("ExponentialLR", s.ExponentialLR, gamma=0.9),
        *[schedule("CyclicLR", lambda o, **a: s.CyclicLR(o, cycle_momentum=False, **a), base_lr=0.1, max_lr=1.0,
                   step_size_up=4, mode=mode, gamma=0.95, **extra)
          for mode in ("triangular", "triangular2", "exp_range") for extra in ({}, {"step_size_down": 6})],
    ],
    "plateaus": [plateau(patience=2), plateau(patience=1, cooldown=2, factor=0.5, min_lr=0.2),
                 plateau(patience=1, threshold=0.5, threshold_mode="abs"), plateau(patience=2, mode="max")],
}
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "..", "optim_torch.json"), "w") as f:
    json.dump(out, f)
