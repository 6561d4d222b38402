"""A tiny random Llama of transformers, and what its `generate` makes: test/golden/lm/tiny-llama.
    pip install torch transformers && python lm_generation.py ../lm/tiny-llama
"""
import json
import os
import sys

import torch
import transformers

torch.manual_seed(3)
folder = sys.argv[1]
config = transformers.LlamaConfig(
    vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, initializer_range=0.6, bos_token_id=1, eos_token_id=2, pad_token_id=0)
model = transformers.AutoModelForCausalLM.from_config(config).eval()
model.save_pretrained(folder)
PROMPTS = [[5, 9, 30], [11], [7, 8, 33, 21, 12, 6, 3]]
# The end is a token that texts of these weights have, or none would end.
plain = model.generate(torch.tensor([PROMPTS[0]]), do_sample=False, max_new_tokens=14)[0].tolist()
END = plain[len(PROMPTS[0]) + 7]
model.generation_config.eos_token_id = END
CASES = {
    "greedy": {},
    "greedy, at least 6": {"min_new_tokens": 6},
    "2 beams": {"num_beams": 2, "num_return_sequences": 2},
    "4 beams": {"num_beams": 4, "num_return_sequences": 4},
    "3 beams, no length penalty": {"num_beams": 3, "length_penalty": 0.0, "num_return_sequences": 3},
    "3 beams, longer texts": {"num_beams": 3, "length_penalty": 2.0, "num_return_sequences": 3},
    "4 beams, early": {"num_beams": 4, "early_stopping": True, "num_return_sequences": 2},
    "3 beams, at least 5": {"num_beams": 3, "min_new_tokens": 5, "num_return_sequences": 3},
}
out = {"transformers": transformers.__version__, "torch": torch.__version__, "end": END, "cases": []}
for name, options in CASES.items():
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        got = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=14, output_scores=True,
                             return_dict_in_generate=True, **options)
        texts = []
        for i, row in enumerate(got.sequences[:, len(prompt):].tolist()):
            ended = END in row
            tokens = row[:row.index(END)] if ended else row
            texts.append({"tokens": tokens, "ended": ended})
            if "num_beams" in options:
                texts[-1]["score"] = float(got.sequences_scores[i])
        out["cases"].append({"name": name, "prompt": prompt, "options": options, "texts": texts})
with torch.no_grad():
    ids = torch.tensor([PROMPTS[2]])
    out["logits"] = {"prompt": PROMPTS[2], "last": model(ids).logits[0, -1].tolist()}
os.remove(os.path.join(folder, "generation_config.json"))
with open(os.path.join(folder, "generated.json"), "w") as file:
    json.dump(out, file)
    file.write("\n")
