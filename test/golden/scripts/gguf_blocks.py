"""Blocks of GGUF's types and what the package gguf makes of them: test/golden/gguf_blocks.json.
    pip install gguf numpy && python gguf_blocks.py > ../gguf_blocks.json
"""
import base64
import json

import gguf
import numpy as np

random = np.random.default_rng(7)
out = {"gguf": getattr(gguf, "__version__", "0.17"), "types": {}}
# where the scales (float16) of a block lie: the rest may be any bytes
SCALES = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
for name in ["F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]:
    type_ = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[type_]
    count = 64 if numbers == 1 else 3
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    if name == "BF16":
        blocks = (random.standard_normal(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(count, 2)
    for at in SCALES.get(name, []):
        blocks[:, at:at + 2] = (random.standard_normal(count) * 0.1).astype(np.float16).view(np.uint8).reshape(count, 2)
    values = gguf.quants.dequantize(blocks.reshape(-1), type_) if name != "F16" else blocks.view(np.float16).astype(np.float32)
    encode = lambda x: base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
    out["types"][name] = {"type": int(type_), "blocks": encode(blocks), "values": encode(values.astype(np.float32))}
print(json.dumps(out, indent=1))
