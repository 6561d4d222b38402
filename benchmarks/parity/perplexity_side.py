"""Perplexity of a folder of Hugging Face over the first tokens of texts, as `anemone test --context --stride --tokens` has it.
    python perplexity_side.py FOLDER TEXT ... [--context 512] [--tokens 1536]
"""
import argparse
import math

import torch
import transformers as t

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("texts", nargs="+")
parser.add_argument("--context", type=int, default=512)
parser.add_argument("--tokens", type=int, default=1536)
options = parser.parse_args()
tokenizer = t.AutoTokenizer.from_pretrained(options.folder)
model = t.AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32).eval()
for name in options.texts:
    with open(name, encoding="utf8") as file:
        ids = tokenizer(file.read(), add_special_tokens=False)["input_ids"][: options.tokens]
    nats, targets = 0.0, 0
    for start in range(0, len(ids), options.context):
        window = torch.tensor([ids[start : start + options.context]])
        with torch.inference_mode():
            logits = model(window).logits[0, :-1]
        nats += float(torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum"))
        targets += len(logits)
    size = len(tokenizer.decode(ids).encode()) * targets / len(ids)
    print(f"{name}: perplexity {math.exp(nats / targets):.5g}, bits per byte {nats / math.log(2) / size:.4f}, {targets} tokens")
