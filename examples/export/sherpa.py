"""Recognises recordings with sherpa-onnx (pip install sherpa-onnx soundfile) and files of `anemone export --for sherpa`.

    python sherpa.py FOLDER [--streaming] recording.wav ...
    python sherpa.py FOLDER [--streaming] --manifest out.json

A manifest that `anemone transcribe --output out.json` wrote is compared: its pred_text with what sherpa-onnx finds.
"""
import argparse
import json
from pathlib import Path

import sherpa_onnx
import soundfile


def recognizer(folder: Path, streaming: bool, bins: int):
    kind = sherpa_onnx.OnlineRecognizer if streaming else sherpa_onnx.OfflineRecognizer
    common = {"tokens": str(folder / "tokens.txt"), "feature_dim": bins, "num_threads": 1}
    if (folder / "model.onnx").exists():
        return kind.from_nemo_ctc(model=str(folder / "model.onnx"), **common)
    parts = {name: str(folder / f"{name}.onnx") for name in ("encoder", "decoder", "joiner")}
    return kind.from_transducer(**parts, model_type="" if streaming else "nemo_transducer", **common)


def transcribe(recognizer, streaming: bool, path: str) -> str:
    samples, rate = soundfile.read(path, dtype="float32")
    stream = recognizer.create_stream()
    if not streaming:
        stream.accept_waveform(rate, samples)
        recognizer.decode_stream(stream)
        return stream.result.text.strip()
    for start in range(0, len(samples), rate // 10):
        stream.accept_waveform(rate, samples[start : start + rate // 10])
        while recognizer.is_ready(stream):
            recognizer.decode_stream(stream)
    stream.input_finished()
    while recognizer.is_ready(stream):
        recognizer.decode_stream(stream)
    return recognizer.get_result(stream).strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("recordings", nargs="*")
    parser.add_argument("--streaming", action="store_true")
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--features", type=int, default=80, help="mel bins of a CTC model")
    options = parser.parse_args()
    found = recognizer(options.folder, options.streaming, options.features)
    for path in options.recordings:
        print(path, transcribe(found, options.streaming, path), sep="\t")
    if not options.manifest:
        return
    lines = [json.loads(line) for line in options.manifest.read_text().splitlines()]
    pairs = [(transcribe(found, options.streaming, line["audio_filepath"]), line["pred_text"].strip()) for line in lines]
    for line, (text, wanted) in zip(lines, pairs):
        if text != wanted:
            print(line["audio_filepath"], f"{text!r} instead of {wanted!r}")
    equal = sum(text == wanted for text, wanted in pairs)
    print(f"{equal} of {len(pairs)} transcripts are equal")
    raise SystemExit(equal < len(pairs))


if __name__ == "__main__":
    main()
