"""Greedy generation of transformers on request: reads "run" lines, writes one JSON line each time."""
import json
import os
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
import transformers

work = json.loads(sys.argv[1])
torch.set_num_threads(work["threads"])
start = time.perf_counter()
model = transformers.AutoModelForCausalLM.from_pretrained(work["folder"], dtype=torch.float32).eval()
vocabulary = model.config.vocab_size
ids = torch.tensor([[(row * 7919 + i * 104729 + 17) % vocabulary for i in range(work["prompt"])] for row in range(work["batch"])])
mask = torch.ones_like(ids)
model.generation_config.eos_token_id = None
model.generation_config.pad_token_id = 0
options = {"cache_implementation": "static"} if work["cache"] == "static" else {}


def write(rows, count):
    with torch.inference_mode():
        return model.generate(ids[:rows], attention_mask=mask[:rows], do_sample=False, min_new_tokens=count,
                              max_new_tokens=count, **options)[:, work["prompt"]:].tolist()


write(1, 1)
print(json.dumps({"ready": True, "transformers": transformers.__version__, "torch": torch.__version__,
                  "firstToken": time.perf_counter() - start}), flush=True)
for line in sys.stdin:
    if line.strip() != "run":
        break
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    texts = write(work["batch"], work["tokens"])
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu": cpu, "rssMb": after.ru_maxrss / 1024, "texts": texts}), flush=True)
