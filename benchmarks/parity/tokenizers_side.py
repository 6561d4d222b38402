"""Ids of Hugging Face's tokenizers, for tokenizers.ts to compare with.

    python benchmarks/parity/tokenizers_side.py OUT --lines TEXT... --tokenizer NAME=tokenizer.json ... [--count 2000] [--speed TEXT]

takes COUNT lines by chance of each text (one a script), encodes and decodes them, and times one core on another text.
"""
import argparse
import json
import os
import pathlib
import random
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--lines", nargs="+", type=pathlib.Path, required=True)
parser.add_argument("--tokenizer", nargs="+", required=True)
parser.add_argument("--count", type=int, default=2000)
parser.add_argument("--speed", type=pathlib.Path)
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
lines = []
for path in args.lines:
    own = [line for line in path.read_text("utf8").split("\n") if line]
    random.Random(0).shuffle(own)
    lines += own[: args.count]
documents = []
if args.speed:
    rows = args.speed.read_text("utf8").split("\n")
    documents = ["\n".join(rows[i : i + 50]) for i in range(0, len(rows), 50)]
(args.out / "texts.json").write_text(json.dumps({"lines": lines, "documents": documents}, ensure_ascii=False), "utf8")
for named in args.tokenizer:
    name, path = named.split("=", 1)
    tokenizer = Tokenizer.from_file(path)
    ids = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    decoded = [tokenizer.decode(row) for row in ids]
    start = time.process_time()
    for document in documents:
        tokenizer.encode(document, add_special_tokens=False)
    seconds = time.process_time() - start
    result = {"name": name, "path": path, "ids": ids, "decoded": decoded, "seconds": seconds}
    (args.out / f"{name}.tokenizer.json").write_text(json.dumps(result, ensure_ascii=False), "utf8")
    print(name, round(seconds, 2), "s")
