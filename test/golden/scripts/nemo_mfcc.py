"""Writes test/golden/mfcc.json: what AudioToMFCCPreprocessor of nemo_toolkit 2.7.3 (CPU) makes of two waveforms, one by one
and (with logarithms) side by side, and its tables; and test/fixtures/nemo/ctc-mfcc.nemo, which is ctc-char.nemo with MFCCs,
with what it makes of one recording. Run: python3 nemo_mfcc.py

`python3 nemo_mfcc.py FILE.nemo` restores a file with strict=True instead, and prints what that makes of the recording."""
import json, os, sys
import numpy as np
import torch
from omegaconf import OmegaConf
from nemo.collections.asr.models import ASRModel
from nemo.collections.asr.modules import AudioToMFCCPreprocessor

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "../../fixtures/nemo")


def logprobs(model):
    """Of 4800 samples, a multiple of the hop."""
    signal = torch.tensor(np.sin(np.arange(4800) ** 1.3 / 40) * 0.3, dtype=torch.float32)[None]
    model.eval()
    with torch.no_grad():
        values, lengths, _ = model(input_signal=signal, input_signal_length=torch.tensor([signal.shape[1]]))
    return dict(shape=list(values.shape), frames=lengths.tolist(), data=values.flatten().tolist())


if len(sys.argv) > 1:
    print(json.dumps(logprobs(ASRModel.restore_from(sys.argv[1], map_location="cpu", strict=True))))
    sys.exit()

N = 3000
n = np.arange(N)
x1 = 0.5 * np.sin(2 * np.pi * 440 * n / 16000) + 0.25 * np.sin(2 * np.pi * 1234.5 * n / 16000 + 0.3) + 0.05 * np.sin(0.9 * n * n / 16000)
# Quiet from the middle on, so that 80 dB below the loudest cut something off.
x2 = np.where(n < 1100, 0.7 * x1[::-1], 1e-6 * x1)
WAVES = [(x1, 3000), (x2, 2400)]  # 2400 is a multiple of the hop
CONFIGS = {
    "matchboxnet": dict(window_size=0.025, window_stride=0.01, window="hann", n_mels=64, n_mfcc=64, n_fft=512),
    "decibels": dict(window_size=0.025, n_mels=40, n_mfcc=13, n_fft=512, log=False),
    "plain": dict(n_window_size=400, window_size=None, n_window_stride=200, window_stride=None, window="hamming", n_mels=20,
                  n_mfcc=10, norm=None, lowfreq=100, highfreq=7000),
}
flat = lambda t: [float(np.float32(v)) for v in t.flatten().tolist()]
out = {"nemo": "2.7.3", "cases": {}}
for name, config in CONFIGS.items():
    front = AudioToMFCCPreprocessor(**config)
    single = []
    for wave, length in WAVES:
        signal = torch.tensor(wave[:length], dtype=torch.float32)[None]
        features, lengths = front(input_signal=signal, length=torch.tensor([length]))
        single.append(dict(shape=list(features.shape), frames=int(lengths[0]), data=flat(features)))
    case = dict(config=config, single=single, tables={k: dict(shape=list(v.shape), sum=float(v.double().sum()), some=flat(v)[:: max(1, v.numel() // 50)])
                                                      for k, v in front.state_dict().items()})
    if config.get("log", True):
        signal = torch.zeros(2, N)
        for i, (wave, length) in enumerate(WAVES):
            signal[i, :length] = torch.tensor(wave[:length], dtype=torch.float32)
        features, lengths = front(input_signal=signal, length=torch.tensor([l for _, l in WAVES]))
        case["batch"] = dict(shape=list(features.shape), frames=lengths.tolist(), data=flat(features))
    out["cases"][name] = case
config = ASRModel.restore_from(os.path.join(FIXTURES, "ctc-char.nemo"), return_config=True)
config.preprocessor = OmegaConf.create({"_target_": "nemo.collections.asr.modules.AudioToMFCCPreprocessor", "sample_rate": 16000,
                                        "window_size": 0.025, "window_stride": 0.01, "n_mels": 32, "n_mfcc": 16, "n_fft": 512})
config.nemo_version = "2.7.3"
target = config.pop("target")
torch.manual_seed(5)
model = getattr(__import__("nemo.collections.asr.models", fromlist=["x"]), target.rsplit(".", 1)[1])(cfg=config)
for p in model.encoder.parameters():
    p.data += 0.1 * torch.randn(p.shape)
model.save_to(os.path.join(FIXTURES, "ctc-mfcc.nemo"))
out["archive"] = logprobs(model)
with open(os.path.join(HERE, "../mfcc.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
