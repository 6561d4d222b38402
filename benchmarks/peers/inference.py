"""Times batch transcription by the PyTorch peer on request: reads "run" lines, writes one JSON line a run.

Log-mel features (STFT, Slaney mel filters, log, normalised per bin), the encoder, and batched greedy decoding, a
step for each token, at most one token a frame. The same waveforms as Anemone's side.
"""
import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import torchaudio

from conformer_rnnt import Transducer

HOP, WINDOW, FFT = 160, 400, 512
AHEAD = 8
config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.manual_seed(0)
torch.set_flush_denormal(True)
model = Transducer(
    d=config["d"], layers=config["layers"], heads=config["heads"], vocabulary=config["vocabulary"],
    hidden=config["hidden"], joint=config["hidden"],
).eval()
window = torch.hann_window(WINDOW, periodic=False)
filters = torchaudio.functional.melscale_fbanks(FFT // 2 + 1, 0, 8000, 80, 16000, norm="slaney", mel_scale="slaney")
data = torch.from_numpy(np.fromfile(config["waveforms"], dtype="<f4"))
waveforms = list(torch.split(data, config["lengths"]))


def features(waveform):
    x = torch.cat([waveform[:1], waveform[1:] - 0.97 * waveform[:-1]])
    spectrum = torch.stft(x, FFT, HOP, WINDOW, window, center=True, pad_mode="constant", return_complex=True)
    mel = torch.log(spectrum.abs().square().T @ filters + 2**-24)[: len(waveform) // HOP]
    return (mel - mel.mean(0)) / (mel.std(0) + 1e-5)


def greedy(encoded, lengths):
    """Moves every utterance to its next token at once, looking at AHEAD frames, as Anemone does."""
    frames = model.joint_enc(encoded)
    batch, longest, _ = frames.shape
    rows, ahead = torch.arange(batch)[:, None], torch.arange(AHEAD)
    at = torch.zeros(batch, dtype=torch.long)
    last = torch.full((batch, 1), model.blank)
    state = tuple(torch.zeros(1, batch, model.lstm.hidden_size) for _ in range(2))
    tokens = [[] for _ in range(batch)]
    while (at < lengths).any():
        output, moved = model.lstm(model.embed(last), state)
        index = at[:, None] + ahead
        seen = frames[rows, index.clamp(max=longest - 1)]
        best = model.joint_out(torch.relu(seen + model.joint_pred(output))).argmax(-1)
        speaks = (best != model.blank) & (index < lengths[:, None])
        emitted, first = speaks.any(1), speaks.int().argmax(1)
        token = best[rows[:, 0], first]
        for b in emitted.nonzero()[:, 0].tolist():
            tokens[b].append(int(token[b]))
        last = torch.where(emitted[:, None], token[:, None], last)
        state = tuple(torch.where(emitted[None, :, None], new, old) for new, old in zip(moved, state))
        at = torch.where(emitted, at + first + 1, at + AHEAD)
    return tokens


@torch.inference_mode()
def transcribe(waveforms):
    feats = sorted((features(w) for w in waveforms), key=len, reverse=True)
    emitted = frames = 0
    for i in range(0, len(feats), config["batch"]):
        part = feats[i : i + config["batch"]]
        padded = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
        encoded, lengths = model.encoder(padded, torch.tensor([len(f) for f in part]))
        emitted += sum(map(len, greedy(encoded, lengths)))
        frames += int(lengths.sum())
    return emitted, frames


def calibrate(share):
    """Sets the bias of blank so that about this share of the frames emits a token."""
    few = waveforms[: config["batch"]]
    low, high = -10.0, 10.0
    for _ in range(12):
        middle = (low + high) / 2
        model.joint_out.bias.data[model.blank] = middle
        emitted, frames = transcribe(few)
        low, high = (middle, high) if emitted > share * frames else (low, middle)


calibrate(config["share"])
emitted, frames = transcribe(waveforms)
print(json.dumps({
    "ready": True, "parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__,
    "tokens": emitted, "frames": frames,
}), flush=True)
for line in sys.stdin:
    if line.strip() != "run":
        break
    start, cpu = time.perf_counter(), time.process_time()
    transcribe(waveforms)
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
        "rssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }), flush=True)
