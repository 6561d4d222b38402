"""NeMo's side of nemo.ts: one task with a `.nemo` archive, over and over, on the CPU. Runs in a Python that has NeMo
(benchmarks/parity/setup.sh)."""
import json
import logging
import os
import resource
import sys
import time
import warnings

# NeMo logs to standard output, which carries the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import nemo
import torch
from nemo.collections.asr.models import ASRModel
from nemo.utils import logging as nemo_logging
from omegaconf import OmegaConf, open_dict

nemo_logging.setLevel(logging.ERROR)
config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.set_flush_denormal(True)


def restore():
    return ASRModel.restore_from(config["model"], map_location="cpu").eval()


def texts(model):
    found = model.transcribe(
        config["files"], batch_size=config["batch"], num_workers=0, verbose=False, return_hypotheses=True)
    if isinstance(found, tuple):
        found = found[0]
    best = [f[0] if isinstance(f, list) else f for f in found]
    blank = model.tokenizer.vocab_size
    return [" ".join(str(int(t)) for t in hypothesis.y_sequence if 0 <= int(t) < blank) for hypothesis in best]


def answer(value):
    print(json.dumps(value), file=answers, flush=True)


if config["task"] == "restore":
    work = restore
    ready = {}
else:
    model = restore()
    decoding = model.cfg.decoding
    with open_dict(decoding):
        decoding = OmegaConf.merge(decoding, config["decoding"])
    model.change_decoding_strategy(decoding)
    ready = {"texts": texts(model)}
    work = lambda: texts(model)

answer({"ready": True, "nemo": nemo.__version__, "torch": torch.__version__, **ready})
for line in sys.stdin:
    if line.strip() != "run":
        break
    start, cpu = time.perf_counter(), time.process_time()
    work()
    answer({
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
        "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    })
