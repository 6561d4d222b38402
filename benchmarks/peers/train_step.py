"""Times training steps of the PyTorch peer on request: reads "run" lines, writes one JSON line a step."""
import contextlib
import json
import os
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch

from conformer_rnnt import Transducer

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.manual_seed(0)
torch.set_flush_denormal(True)
model = Transducer(
    d=config["d"], layers=config["layers"], heads=config["heads"], vocabulary=config["vocabulary"],
    hidden=config["hidden"], joint=config["hidden"], fast=config.get("fast", False),
    kernel=9 if config.get("fast") else 31,
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-3)
batch, frames, tokens = config["batch"], config["frames"], config["tokens"]
features = torch.randn(batch, frames, 80)
feature_lengths = torch.tensor([frames - (i * frames) // (8 * batch) for i in range(batch)])
targets = torch.randint(0, config["vocabulary"], (batch, tokens))
target_lengths = torch.tensor([tokens - i % 5 for i in range(batch)])
model.train()
lowType = {"16": torch.float16, "bf": torch.bfloat16}.get(config.get("precision", "32-true")[:2])
autocast = (lambda: torch.autocast("cpu", dtype=lowType)) if lowType else contextlib.nullcontext
scaler = torch.amp.GradScaler("cpu", enabled=lowType == torch.float16)
print(json.dumps({"ready": True, "parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    if line.strip() != "run":
        break
    start, cpu = time.perf_counter(), time.process_time()
    with autocast():
        loss = model.loss(features, feature_lengths, targets, target_lengths)
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    value = loss.item()
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "loss": value,
        "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }), flush=True)
