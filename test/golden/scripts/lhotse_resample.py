"""Writes test/golden/resample_lhotse.json: what lhotse 1.33 (with NeMo 2.7.3) makes of waveforms of other rates,
where torchaudio is not installed (scipy) and by its copy of torchaudio's code, which is the same.
Run: python3 lhotse_resample.py"""
import json, os
import numpy as np
import lhotse
import torch
from lhotse.augmentation import resample, torchaudio
from lhotse.utils import is_torchaudio_available

assert not is_torchaudio_available()


def wave(n):
    i = np.arange(n)
    return (0.4 * np.sin(0.07 * i + 3e-4 * i * i) + 0.1 * np.sin(2.9 * i)).astype(np.float32)


cases = []
for source, target, n in ((8000, 16000, 403), (44100, 16000, 1000), (48000, 16000, 901), (22050, 16000, 700), (16000, 8000, 500), (11025, 16000, 350)):
    found = dict(scipy=torchaudio.Resample(source, target)(wave(n)[None]), torchaudio=resample.Resample(source, target)(torch.tensor(wave(n))[None]))
    for name, out in found.items():
        cases.append(dict(resampler=name, source=source, target=target, samples=n, data=[round(float(v), 8) for v in np.asarray(out)[0]]))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../resample_lhotse.json"), "w") as f:
    json.dump(dict(lhotse=lhotse.__version__, cases=cases), f)
    f.write("\n")
