"""What Megatron-LM's tools/preprocess_data.py does for one JSON-lines file, with megatron-core's own writer and a tokenizer of Hugging
Face: a pool of processes, 32 lines at a time in order, the end of a text after each document.
    python preprocess_megatron.py INPUT PREFIX TOKENIZER_FOLDER WORKERS
Needs megatron-core and transformers.
"""
import json
import multiprocessing
import sys

import transformers
from megatron.core.datasets import indexed_dataset

source, prefix, folder, workers = sys.argv[1:5]
KEY, CHUNK = "text", 32


def load():
    return transformers.AutoTokenizer.from_pretrained(folder)


def start():
    global tokenizer
    tokenizer = load()


def encode(line):
    ids = tokenizer(json.loads(line)[KEY]).input_ids
    if len(ids) > 0:
        ids.append(tokenizer.eos_token_id)
    return ids, len(line)


if __name__ == "__main__":
    # Texts are longer than the model of the tokenizer may be; nobody needs to be told.
    transformers.logging.set_verbosity_error()
    size = len(load())
    with open(source, encoding="utf-8") as lines, multiprocessing.Pool(int(workers), initializer=start) as pool:
        dtype = indexed_dataset.DType.optimal_dtype(size)
        builder = indexed_dataset.IndexedDatasetBuilder(f"{prefix}_{KEY}_document.bin", dtype=dtype)
        for ids, _ in pool.imap(encode, lines, CHUNK):
            builder.add_document(ids, [len(ids)] if len(ids) > 0 else [])
    builder.finalize(f"{prefix}_{KEY}_document.idx")
