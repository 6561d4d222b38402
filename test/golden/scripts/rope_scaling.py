"""Writes test/golden/rope_scaling.json: frequencies of rotary positions by transformers 4.57.6. Run: python rope_scaling.py > test/golden/rope_scaling.json"""
import json, torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
out=[]
for rs in [dict(rope_type='yarn',factor=4.0,original_max_position_embeddings=256), dict(rope_type='yarn',factor=8.0,original_max_position_embeddings=2048,beta_fast=16,beta_slow=2,attention_factor=1.3),
           dict(rope_type='llama3',factor=8.0,low_freq_factor=1.0,high_freq_factor=4.0,original_max_position_embeddings=8192), dict(rope_type='linear',factor=3.0)]:
    c=LlamaConfig(hidden_size=64,num_attention_heads=2,max_position_embeddings=int(rs.get('original_max_position_embeddings',64)*rs['factor']),rope_theta=10000.0,rope_scaling=dict(rs))
    f,a=ROPE_INIT_FUNCTIONS[rs['rope_type']](c,'cpu')
    out.append(dict(scaling=rs,size=32,frequencies=[float(x) for x in f],factor=float(a)))
print(json.dumps(out))
