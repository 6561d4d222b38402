"""Times training steps of GPT-2 in PyTorch on request: reads "run" lines, writes one JSON line a step."""
import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.manual_seed(0)
torch.set_flush_denormal(True)
width, heads, vocabulary, length = (config[key] for key in ("d", "heads", "vocabulary", "length"))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, steps, _ = x.shape
        q, k, v = (
            part.view(batch, steps, heads, width // heads).transpose(1, 2)
            for part in self.qkv(self.ln1(x)).split(width, 2)
        )
        heard = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(heard.transpose(1, 2).reshape(batch, steps, width))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList([Block() for _ in range(config["layers"])])
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:
                std = 0.02 / (2 * config["layers"]) ** 0.5 if name.endswith(("proj.weight", "fc2.weight")) else 0.02
                nn.init.normal_(parameter, std=std)

    def forward(self, tokens, labels):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if config.get("checkpoint") else layer(x)
        logits = F.linear(self.norm(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, vocabulary), labels.view(-1))


model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)
text = (torch.rand(config["batch"], length + 1) ** 2 * vocabulary).long()
tokens, labels = text[:, :-1].contiguous(), text[:, 1:].contiguous()
model.train()
parameters = sum(p.numel() for p in model.parameters())
print(json.dumps({"ready": True, "parameters": parameters, "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    if line.strip() != "run":
        break
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(config.get("steps", 1)):
        if config.get("autocast"):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(tokens, labels)
        else:
            loss = model(tokens, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        value = loss.item()
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "loss": value,
        "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }), flush=True)
