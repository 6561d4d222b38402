"""Writes test/golden/config/decoding_defaults.yaml: all keys of NeMo's decoding dataclasses with their defaults,
as restored models have them (nemo_toolkit 2.4.1). Run: python3 decoding_defaults.py"""
import os
from omegaconf import OmegaConf
from nemo.collections.asr.parts.submodules.ctc_decoding import CTCBPEDecodingConfig
from nemo.collections.asr.parts.submodules.rnnt_decoding import RNNTBPEDecodingConfig

both = OmegaConf.create({"rnnt": OmegaConf.structured(RNNTBPEDecodingConfig), "ctc": OmegaConf.structured(CTCBPEDecodingConfig)})
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "config", "decoding_defaults.yaml")
with open(path, "w") as f:
    f.write("# All keys of NeMo's decoding dataclasses; written by scripts/decoding_defaults.py.\n" + OmegaConf.to_yaml(both))
print("wrote", path)
