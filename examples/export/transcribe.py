"""Transcribes WAV files with a model that `anemone export` wrote, without Anemone.

    pip install numpy onnxruntime
    python transcribe.py encoder-model.onnx decoder_joint-model.onnx a.wav b.wav   # a transducer
    python transcribe.py model.onnx a.wav b.wav                                    # CTC
    python transcribe.py encoder-model.onnx decoder-model.onnx a.wav b.wav         # a multitask model
    python transcribe.py encoder-model.onnx decoder-model.onnx a.wav '<|startoftranscript|><|en|><|translate|><|de|><|pnc|>'

Greedy decoding, one batch. WAV files are 16-bit mono at the model's sample rate. The prompt of a multitask model is the
one that its files have, unless another is given.
"""
import json
import re
import sys
import wave

import numpy as np
import onnxruntime as ort


def read_wav(path, rate):
    with wave.open(path) as f:
        assert (f.getframerate(), f.getnchannels(), f.getsampwidth()) == (rate, 1, 2), f"{path}: not 16-bit mono at {rate} Hz"
        return np.frombuffer(f.readframes(f.getnframes()), np.int16) / 32768


def mel_filters(c):
    """Slaney's triangles, [mels, fft/2 + 1]."""
    to_mel = lambda hz: np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))
    to_hz = lambda mel: np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    points = to_hz(np.linspace(to_mel(c["lowfreq"]), to_mel(c["high"]), c["features"] + 2))
    f = np.arange(c["fftSize"] // 2 + 1) * c["sample_rate"] / c["fftSize"]
    left, centre, right = (points[i : i + c["features"], None] for i in range(3))
    bank = np.maximum(0, np.minimum((f - left) / (centre - left), (right - f) / (right - centre)))
    return bank * 2 / (right - left) if c["mel_norm"] == "slaney" else bank


def log_mel(x, c):
    """NeMo's front end with its usual settings (hann, log, per_feature or no statistics): samples -> [mels, frames]."""
    assert (c["window"], c["log"], c["exact_pad"]) == ("hann", True, False)
    assert c["normalize"] in ("per_feature", "NA", None), c["normalize"]
    if c["preemph"]:
        x = np.append(x[:1], x[1:] - c["preemph"] * x[:-1])
    frames = len(x) // c["hop"] + (c["nemo_compat"] == "1.x")
    x = np.pad(x, c["fftSize"] // 2, mode="constant" if c["nemo_compat"] == "2.5" else "reflect")
    window = np.zeros(c["fftSize"])
    start = (c["fftSize"] - c["windowLength"]) // 2
    window[start : start + c["windowLength"]] = np.hanning(c["windowLength"])
    cut = np.lib.stride_tricks.sliding_window_view(x, c["fftSize"])[:: c["hop"]][:frames]
    power = np.abs(np.fft.rfft(cut * window)) ** c["mag_power"]
    mel = mel_filters(c) @ power.T
    mel = np.log(mel + c["guard"] if c["log_zero_guard_type"] == "add" else np.maximum(mel, c["guard"]))
    if c["normalize"] != "per_feature":
        return mel
    return (mel - mel.mean(1, keepdims=True)) / (mel.std(1, ddof=1, keepdims=True) + 1e-5)


def greedy_ctc(logprobs, length, blank):
    best = logprobs[:length].argmax(1)
    return [int(k) for k, before in zip(best, np.append(blank, best)) if k != blank and k != before]


def greedy_transducer(joint, encoded, length, max_symbols=10):
    """Any transducer: plain, TDT, with big blanks, HAT; whatever its prediction network remembers. encoded [D,T]"""
    meta = joint.get_modelmeta().custom_metadata_map
    blank, durations = int(meta["blank_id"]), json.loads(meta.get("durations", "[]"))
    first_blank = blank - len(durations) if meta["transducer"] == "multiblank" else blank
    inputs = {i.name: i.shape for i in joint.get_inputs() if i.name.startswith("input_states")}
    states = {name: np.zeros([shape[0], 1, shape[2]], np.float32) for name, shape in inputs.items()}
    names = ["outputs", *(name.replace("input", "output") for name in states)]
    tokens, last, t, symbols = [], blank, 0, 0  # blank stands for "no token yet"
    while t < length:
        scores, *after = joint.run(
            names,
            {
                "encoder_outputs": encoded[None, :, t : t + 1],
                "targets": np.array([[last]], np.int32),
                "target_length": np.array([1], np.int32),
                **states,
            },
        )
        scores = scores[0, 0, 0]
        token = int(scores[: blank + 1].argmax())
        is_token = token < first_blank
        skip = 0 if is_token else 1
        if meta["transducer"] == "tdt":  # scores of durations come after those of the tokens
            skip = max(durations[scores[blank + 1 :].argmax()], skip)
        elif not is_token and token < blank:  # big blanks come before blank, counted down from it
            skip = durations[blank - 1 - token]
        if is_token:
            tokens.append(token)
            last, states, symbols = token, dict(zip(states, after)), symbols + 1
            if skip == 0 and symbols == max_symbols:
                skip = 1
        if skip > 0:
            t, symbols = t + skip, 0
    return tokens


def greedy_attention(decoder, memory, prompt):
    """All utterances at once, token by token. memory: encoder_embeddings [B,T,D] and encoder_mask [B,T]."""
    meta = decoder.get_modelmeta().custom_metadata_map
    eos, most, classes = int(meta["eos_id"]), int(meta["max_sequence_length"]), len(json.loads(meta["vocabulary"]))
    layers, _, _, width = next(i.shape for i in decoder.get_inputs() if i.name == "decoder_mems")
    batch = len(memory["encoder_mask"])
    ids = np.tile(np.array(prompt, np.int64), (batch, 1))
    mems = np.zeros((layers, batch, 0, width), np.float32)  # of no tokens
    tokens, open_ = [[] for _ in range(batch)], np.full(batch, True)
    for _ in range(len(prompt), most):
        inputs = {"input_ids": ids, "decoder_mems": mems, **memory}
        scores, mems = decoder.run(["logits", "decoder_hidden_states"], inputs)
        best = scores[:, -1, :classes].argmax(1)  # there are more classes than tokens
        open_ &= best != eos
        if not open_.any():
            break
        for row in np.flatnonzero(open_):
            tokens[row].append(int(best[row]))
        ids = best[:, None]  # what came before is in mems
    return tokens


def main():
    models = [p for p in sys.argv[1:] if p.endswith(".onnx")]
    prompts = [p for p in sys.argv[1:] if p.startswith("<|")]
    paths = [p for p in sys.argv[1:] if p not in models + prompts]
    encoder, *joint = (ort.InferenceSession(p, providers=["CPUExecutionProvider"]) for p in models)
    meta = encoder.get_modelmeta().custom_metadata_map
    config, vocabulary = json.loads(meta["preprocessor"]), json.loads(meta["vocabulary"])
    features = [log_mel(read_wav(p, config["sample_rate"]), config) for p in paths]
    length = np.array([x.shape[1] for x in features], np.int64)
    signal = np.zeros((len(features), config["features"], length.max()), np.float32)
    for row, x in zip(signal, features):
        row[:, : x.shape[1]] = x
    outputs = encoder.run(None, {"audio_signal": signal, "length": length})
    if "eos_id" in meta:
        memory = {"encoder_embeddings": outputs[0], "encoder_mask": outputs[1]}
        prompt = [vocabulary.index(token) for token in re.findall(r"<\|.*?\|>", "".join(prompts))]
        found = greedy_attention(joint[0], memory, prompt or json.loads(meta["prompt_ids"]))
    elif joint:
        found = [greedy_transducer(joint[0], output, n) for output, n in zip(*outputs)]
    else:
        found = [greedy_ctc(output, n, int(meta["blank_id"])) for output, n in zip(*outputs)]
    for path, tokens in zip(paths, found):
        print(path, "".join(vocabulary[k] for k in tokens).replace("\u2581", " ").strip(), sep="\t")


if __name__ == "__main__":
    main()
