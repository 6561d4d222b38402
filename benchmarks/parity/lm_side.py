"""Random language models of transformers, with their logits, losses and gradients: what lm.ts compares with.
    python lm_side.py DIR [--seed 1]
"""
import argparse
import json
import os

import torch
import transformers
from safetensors.torch import save_file

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
torch.manual_seed(options.seed)
sizes = dict(vocab_size=101, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.2)
llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
window = dict(sliding_window=7)
t = transformers
CASES = {
    "gpt2": t.GPT2Config(vocab_size=101, n_embd=32, n_layer=3, n_head=4, n_positions=64, initializer_range=0.2),
    "mpt": t.MptConfig(d_model=32, n_heads=4, n_layers=3, max_seq_len=64, vocab_size=101, initializer_range=0.2),
    "llama": t.LlamaConfig(**sizes),
    "llama-3.1": t.LlamaConfig(**sizes, rope_theta=500000.0, rope_scaling=llama3, tie_word_embeddings=True, head_dim=16),
    "llama-biases": t.LlamaConfig(**sizes, attention_bias=True, mlp_bias=True),
    "mistral": t.MistralConfig(**sizes, **window),
    "qwen2": t.Qwen2Config(**sizes),
    "qwen2-window": t.Qwen2Config(**sizes, **window, use_sliding_window=True, max_window_layers=2),
    "qwen3": t.Qwen3Config(**sizes, head_dim=16),
    "gemma": t.GemmaConfig(**sizes, head_dim=16),
    "gemma2": t.Gemma2Config(**sizes, **window, head_dim=16, query_pre_attn_scalar=20, attn_logit_softcapping=3.0, final_logit_softcapping=4.0),
    "gemma3": t.Gemma3TextConfig(**sizes, **window, head_dim=16, query_pre_attn_scalar=20),
}
for name, config in CASES.items():
    config._attn_implementation = "eager"
    model = t.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.eval()
    # Gemma's embedding keeps the gradient of token 0, its padding, at 0.
    tokens = torch.randint(1, 101, (2, 24))
    logits = model(tokens).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 101), tokens[:, 1:].reshape(-1))
    loss.backward()
    folder = os.path.join(options.folder, name)
    model.save_pretrained(folder)
    grads = {n: p.grad.contiguous() for n, p in model.named_parameters()}
    save_file(grads, os.path.join(folder, "gradients.safetensors"))
    save_file({"tokens": tokens.int(), "logits": logits.detach().contiguous(), "loss": loss.detach().reshape(1)},
              os.path.join(folder, "expected.safetensors"))
    print(name, float(loss), flush=True)
# Slopes of ALiBi as BLOOM has them, from the biases of the second position.
ones = torch.ones(1, 2)
slopes = {heads: t.models.bloom.modeling_bloom.build_alibi_tensor(ones, heads, torch.float32)[:, 0, 1].tolist() for heads in range(1, 129)}
with open(os.path.join(options.folder, "slopes.json"), "w") as file:
    json.dump(slopes, file)
with open(os.path.join(options.folder, "versions.json"), "w") as file:
    json.dump({"torch": torch.__version__, "transformers": t.__version__, "seed": options.seed}, file)
