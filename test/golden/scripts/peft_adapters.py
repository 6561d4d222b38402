"""LoRA adapters as Hugging Face's PEFT writes them, and the logits of the adapted models (peft 0.21.2, transformers 4.57.6).

    python test/golden/scripts/peft_adapters.py test/golden/peft

Random models, a folder each: config.json and model.safetensors of the base, adapter/ as save_pretrained leaves it, and
logits.json of 12 tokens.
"""
import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

out = pathlib.Path(sys.argv[1])
llama = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=32)
gpt2 = GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=4, n_positions=32)
cases = {
    "llama": (LlamaForCausalLM, llama, ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"], {"use_rslora": True}),
    "llama-layer": (LlamaForCausalLM, llama, "all-linear", {"layers_to_transform": [1]}),
    "gpt2": (GPT2LMHeadModel, gpt2, ["c_attn", "c_proj", "c_fc"], {"fan_in_fan_out": True}),
}
for name, (kind, config, targets, more) in cases.items():
    torch.manual_seed(1)
    model = kind(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3 if parameter.dim() > 1 else 0.7)
    model.save_pretrained(out / name)
    if targets == "all-linear":
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = LoraConfig(r=3, lora_alpha=5, target_modules=targets, task_type="CAUSAL_LM", init_lora_weights=False, **more)
    adapted = get_peft_model(model, lora).eval()
    adapted.save_pretrained(out / name / "adapter")
    tokens = [7 * i % 32 for i in range(12)]
    with torch.no_grad():
        logits = adapted(torch.tensor([tokens])).logits
    (out / name / "logits.json").write_text(json.dumps({"tokens": tokens, "logits": [round(float(x), 6) for x in logits.flatten()]}) + "\n")
    for extra in ("generation_config.json", "adapter/README.md"):
        (out / name / extra).unlink(missing_ok=True)
