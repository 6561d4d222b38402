"""Writes test/golden/multitask_short_clips.json: what `transcribe` of NeMo's own EncDecMultiTaskModel (nemo_toolkit
2.7.3, CPU) finds in files under and over 1 s, with the fixture multitask.nemo. Run: python3 nemo_short_clips.py"""
import json, os, tempfile
import numpy as np
import soundfile as sf
from omegaconf import OmegaConf
from nemo.collections.asr.models import EncDecMultiTaskModel

HERE = os.path.dirname(os.path.abspath(__file__))
model = EncDecMultiTaskModel.restore_from(os.path.join(HERE, "../../fixtures/nemo/multitask.nemo"), map_location="cpu")
model.eval()
# Otherwise the longest transcript depends on how far NeMo pads the batch.
model.change_decoding_strategy(OmegaConf.create(dict(strategy='greedy', greedy=dict(max_generation_delta=-1))))
rate = model.preprocessor._sample_rate
slots = dict(source_lang="en", target_lang="de", task="translate", pnc="no")
rows = []
with tempfile.TemporaryDirectory() as folder:
    for index, length in enumerate([rate // 3, rate // 2 + 1, rate - 1, rate + rate // 4]):
        path = os.path.join(folder, f"{index}.wav")
        x = np.sin(np.arange(length, dtype=np.float64) ** (1.3 + 0.05 * index) / 40) * 0.3
        sf.write(path, x.astype(np.float32), rate, subtype="FLOAT")
        manifest = os.path.join(folder, f"{index}.json")
        with open(manifest, "w") as f:
            f.write(json.dumps(dict(audio_filepath=path, duration=length / rate, text="", **slots)) + "\n")
        (hypothesis,) = model.transcribe(manifest, batch_size=1, return_hypotheses=True)
        rows.append(dict(index=index, length=length, text=hypothesis.text, score=float(hypothesis.score)))
        print(rows[-1])
with open(os.path.join(HERE, "../multitask_short_clips.json"), "w") as f:
    json.dump(dict(nemo="2.7.3", slots=slots, clips=rows), f, ensure_ascii=False, indent=1)
