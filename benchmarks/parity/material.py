"""What both sides are given: recordings, texts, tokenizers. All from seeds."""
import wave

import numpy
import sentencepiece

RATE = 16000
WORDS = "the quick brown fox jumps over it lazy dog pack my box with five dozen liquor jugs".split()


def voice(seconds, speaker, seed):
    """float32 samples of a voice-like sound, as a 16-bit file would hold it."""
    rng = numpy.random.default_rng([speaker, seed])
    t = numpy.arange(int(seconds * RATE)) / RATE + seed
    pitch = 90 + 11 * (speaker % 9)
    sound = sum(numpy.sin(2 * numpy.pi * f * t * (1 + 0.1 * numpy.sin(3 * t + f))) / f for f in (pitch, 2 * pitch, 5.3 * pitch, 1900))
    samples = 40 * sound * (0.4 + 0.6 * numpy.sin(5 * t) ** 2) + 0.02 * rng.standard_normal(len(t))
    pcm = numpy.clip(samples / abs(samples).max() * 20000, -32768, 32767).astype("<i2")
    return pcm.astype("float32") / 32768


def batch(seed, size=3, shortest=1.1, longest=1.9):
    """[size, samples] zeros at the end, lengths, texts of few tokens: of different lengths each."""
    rng = numpy.random.default_rng(seed)
    seconds = rng.uniform(shortest, longest, size)
    recordings = [voice(s, seed, i) for i, s in enumerate(seconds)]
    samples = numpy.zeros((size, max(map(len, recordings))), "float32")
    for row, recording in zip(samples, recordings):
        row[: len(recording)] = recording
    texts = [" ".join(rng.choice(WORDS, 2))[: int(rng.integers(4, 8))].strip() for _ in recordings]
    return samples, numpy.array([len(r) for r in recordings], "int64"), texts


def save_wav(path, samples):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((samples * 32768).astype("<i2").tobytes())


def tokenizer(folder, kind):
    """A small SentencePiece model, with the files that NeMo wants beside it. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "text.txt"
    rng = numpy.random.default_rng(1)
    text.write_text("\n".join(" ".join(rng.choice(WORDS, 8)) for _ in range(400)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), vocab_size=64 if kind == "bpe" else 40, model_type=kind,
        bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0, minloglevel=2,
    )
    pieces = [line.split("\t")[0] for line in (folder / "tokenizer.vocab").read_text().splitlines()][1:]
    lines = [p[1:] if p.startswith("\u2581") and len(p) > 1 else p if p == "\u2581" else "##" + p for p in pieces]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    return str(folder)
