"""Adapters of Hugging Face's PEFT beside those of peft.ts.
    python peft_side.py make DIR [--seed 1]    # models of transformers, adapters of PEFT for them, and their logits
    python peft_side.py check DIR              # loads the adapters that peft.ts wrote, and compares logits
"""
import argparse
import glob
import json
import os
import sys

import peft
import torch
import transformers as t
from safetensors.torch import load_file, save_file

parser = argparse.ArgumentParser()
parser.add_argument("step", choices=["make", "check"])
parser.add_argument("folder")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
AIM = 1e-4
WORDS = 96
sizes = dict(vocab_size=WORDS, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.15)
LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MODELS = {
    "gpt2": t.GPT2Config(vocab_size=WORDS, n_embd=32, n_layer=3, n_head=4, n_positions=64, initializer_range=0.15),
    "llama": t.LlamaConfig(**sizes),
    "qwen3": t.Qwen3Config(**sizes, head_dim=16),
    "gemma2": t.Gemma2Config(**sizes, head_dim=16, query_pre_attn_scalar=16, sliding_window=7),
}
ADAPTERS = {
    "all": dict(r=3, lora_alpha=6, target_modules=LLAMA),
    "some": dict(r=4, lora_alpha=3, target_modules=["q_proj", "down_proj"], layers_to_transform=[1], use_rslora=True),
    "patterns": dict(r=2, lora_alpha=4, target_modules=LLAMA, rank_pattern={"v_proj": 5}, alpha_pattern={"mlp.down_proj": 16}),
}
GPT2 = {"target_modules": ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"], "fan_in_fan_out": True}
tokens = torch.arange(40)[None] * 7 % WORDS


def logits_of(model):
    with torch.inference_mode():
        return model.eval()(tokens).logits.contiguous()


def make():
    torch.manual_seed(options.seed)
    for name, config in MODELS.items():
        folder = os.path.join(options.folder, name)
        base = t.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        base.save_pretrained(os.path.join(folder, "base"))
        vocab = {chr(32 + i): i for i in range(WORDS)}
        with open(os.path.join(folder, "base", "tokenizer.json"), "w") as file:
            json.dump({"added_tokens": [], "model": {"type": "BPE", "vocab": vocab, "merges": []}}, file)
        for kind, keys in ADAPTERS.items():
            if name == "gpt2":
                keys = {**keys, **GPT2, "rank_pattern": {}, "alpha_pattern": {}}
            model = t.AutoModelForCausalLM.from_pretrained(os.path.join(folder, "base"), attn_implementation="eager")
            model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **keys))
            for parameter in model.parameters():
                if parameter.requires_grad:
                    torch.nn.init.normal_(parameter, 0, 0.2)
            model.save_pretrained(os.path.join(folder, f"theirs-{kind}"))
            save_file({"tokens": tokens.int(), "logits": logits_of(model)}, os.path.join(folder, f"theirs-{kind}", "expected.safetensors"))


def check():
    print(f"PEFT {peft.__version__}, transformers {t.__version__}, torch {torch.__version__}\n")
    print("| model | adapter written here | logits of PEFT |\n|---|---|---|")
    missed = False
    for adapter in sorted(glob.glob(os.path.join(options.folder, "*", "ours-*"))):
        folder, kind = os.path.split(adapter)
        base = t.AutoModelForCausalLM.from_pretrained(os.path.join(folder, "base"), attn_implementation="eager")
        plain = logits_of(base).clone()
        model = peft.PeftModel.from_pretrained(base, adapter)
        ours = load_file(os.path.join(adapter, "expected.safetensors"))["logits"]
        theirs = logits_of(model)
        difference = float((ours.reshape(theirs.shape) - theirs).abs().max())
        assert float((plain - theirs).abs().max()) > 0.1, "the adapter changes nothing"
        missed |= not difference <= AIM
        print(f"| {os.path.basename(folder)} | {kind[5:]} | {difference:.1e} |")
    sys.exit(int(missed))


make() if options.step == "make" else check()
