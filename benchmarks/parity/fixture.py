"""Makes test/fixtures/nemo: two tiny archives of NeMo and what NeMo computes with them.

    python benchmarks/parity/fixture.py test/fixtures/nemo
"""
import json
import os
import pathlib
import sys
import tempfile

import numpy
import sentencepiece
import torch
from cases import LABELS, TEXT, common, ctc_decoder, encoder, preprocessor, transducer
from compute import shake, stages, targets_of
from nemo_side import arrays
from omegaconf import OmegaConf
from safetensors.numpy import save_file

import nemo
from nemo.collections.asr import models

out = pathlib.Path(sys.argv[1]).resolve()
out.mkdir(parents=True, exist_ok=True)
samples = torch.tensor(numpy.sin(numpy.arange(4800) ** 1.3 / 40) * 0.3, dtype=torch.float32)[None]
small = dict(feat_in=16, d_model=8, n_heads=2, n_layers=1, ff_expansion_factor=2, conv_kernel_size=5, subsampling_conv_channels=4)
front = preprocessor(features=16, n_fft=512)
with tempfile.TemporaryDirectory() as folder:
    # A relative folder: its name ends up in the archive.
    os.chdir(folder)
    pathlib.Path("tokenizer").mkdir()
    text = pathlib.Path("text.txt")
    text.write_text(f"{TEXT}\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix="tokenizer/tokenizer", vocab_size=32, model_type="bpe", minloglevel=2,
        normalization_rule_name="identity", bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0,
    )
    pathlib.Path("tokenizer/vocab.txt").write_text("a\n")
    hybrid = {
        **common(encoder(**small, subsampling="dw_striding"), front),
        "tokenizer": {"dir": "tokenizer", "type": "bpe"},
        **transducer(8, hidden=6, joint=10),
        "aux_ctc": {"ctc_loss_weight": 0.3, "decoder": ctc_decoder(), "decoding": {"strategy": "greedy"}},
    }
    characters = {**common(encoder(**small), front), "labels": LABELS, "decoder": ctc_decoder(feat_in=8, num_classes=len(LABELS), vocabulary=LABELS)}
    for name, kind, config in (("hybrid-bpe", "EncDecHybridRNNTCTCBPEModel", hybrid), ("ctc-char", "EncDecCTCModel", characters)):
        torch.manual_seed(3)
        model = getattr(models, kind)(cfg=OmegaConf.create(config))
        shake(model, 3)
        given = (samples, torch.tensor([samples.shape[1]]), *targets_of(model, [TEXT], LABELS))
        found = {key: value for key, value in stages(model, *given).items() if key not in ("raw_signal", "loss")}
        save_file(arrays(found), out / f"{name}.safetensors")
        model.save_to(str(out / f"{name}.nemo"))
    os.chdir(out)
(out / "facts.json").write_text(json.dumps({"nemo": nemo.__version__, "torch": torch.__version__, "text": TEXT}) + "\n")
