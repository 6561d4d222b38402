"""NeMo's half of the comparison.

    python nemo_side.py make DIR    random models as DIR/nemo/*.nemo, a recording, and what NeMo computes of it
    python nemo_side.py check DIR   restores DIR/ours/*.nemo with strict=True and compares with *.safetensors there
    python nemo_side.py trained DIR restores what trained.ts trained, transcribes with it, and trains it on
"""
import json
import os
import pathlib
import sys
import wave

import numpy
import sentencepiece
import torch
from cases import LABELS, TEXT, cases
from omegaconf import OmegaConf, open_dict
from safetensors.numpy import load_file, save_file

import nemo
from nemo.collections.asr import models
from nemo.collections.asr.models import ASRModel
from nemo.utils import logging

logging.setLevel(logging.ERROR)
torch.set_num_threads(1)


def recording(path):
    rng = numpy.random.default_rng(5)
    t = numpy.arange(int(3.17 * 16000)) / 16000
    voice = sum(numpy.sin(2 * numpy.pi * f * t * (1 + 0.1 * numpy.sin(3 * t))) / f for f in (120, 240, 700, 1900))
    samples = 40 * voice * (0.4 + 0.6 * numpy.sin(5 * t) ** 2) + 0.02 * rng.standard_normal(len(t))
    pcm = numpy.clip(samples / abs(samples).max() * 20000, -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(pcm.tobytes())


def samples_of(path):
    with wave.open(str(path), "rb") as source:
        pcm = numpy.frombuffer(source.readframes(source.getnframes()), "<i2")
    return torch.tensor(pcm.astype("float32") / 32768)[None]


def tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "text.txt"
    words = "the quick brown fox jumps over it lazy dog pack my box with five dozen liquor jugs".split()
    rng = numpy.random.default_rng(1)
    text.write_text("\n".join(" ".join(rng.choice(words, 8)) for _ in range(400)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), vocab_size=64, model_type="bpe",
        bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0, minloglevel=2,
    )
    pieces = [line.split("\t")[0] for line in (folder / "tokenizer.vocab").read_text().splitlines()][1:]
    lines = [p[1:] if p.startswith("\u2581") and len(p) > 1 else p if p == "\u2581" else "##" + p for p in pieces]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


def shake(model, seed):
    """Random values everywhere, so that nothing is equal by being zero or one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.startswith("preprocessor"):
                continue
            noise = torch.randn(value.shape, generator=generator) if value.is_floating_point() else None
            if name.endswith("running_var"):
                value.copy_(0.5 + noise.abs())
            elif noise is not None:
                value.add_(0.05 * noise)
            else:
                value.fill_(7)


def compute(model, samples):
    """Every stage's output under the names of NeMo's ports; batch of one."""
    model.eval()
    out = {}
    taps = []
    for name in ["pre_encode", *[f"layers.{i}" for i in range(len(model.encoder.layers))]]:
        def keep(_module, _inputs, result, name=name):
            value = result[0] if isinstance(result, tuple) else result
            out[f"encoder.{name}"] = value
        taps.append(model.encoder.get_submodule(name).register_forward_hook(keep))
    length = torch.tensor([samples.shape[1]])
    with torch.no_grad():
        features, frames = model.preprocessor(input_signal=samples, length=length)
        out["processed_signal"], out["processed_signal_length"] = features, frames
        encoded, lengths = model.encoder(audio_signal=features, length=frames)
        out["encoder.outputs"], out["encoder.encoded_lengths"] = encoded, lengths
        for tap in taps:
            tap.remove()
        # The same utterance in a batch with a longer one: what is behind its end must not matter, or matter equally.
        padded = torch.nn.functional.pad(features, (0, 43))
        among, valid = model.encoder(audio_signal=padded, length=frames)
        out["padded.outputs"] = among[:, :, : int(valid[0])]
        targets, target_lengths = transcript(model)
        if hasattr(model, "joint"):
            predicted, _, _ = model.decoder(targets=targets, target_length=target_lengths)
            out["decoder.outputs"] = predicted
            model.joint.set_fuse_loss_wer(False)
            logits = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
            # On CPU the joint normalises; what it normalises is the same up to a constant for each point.
            out["joint.outputs"] = logits.log_softmax(-1)
            out["loss.rnnt"] = model.loss(log_probs=logits, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
        head = getattr(model, "ctc_decoder", None) or (None if hasattr(model, "joint") else model.decoder)
        if head is not None:
            name = "ctc_decoder" if hasattr(model, "joint") else "decoder"
            scores = head(encoder_output=encoded)
            out[f"{name}.logprobs"] = scores
            loss = model.ctc_loss if hasattr(model, "joint") else model.loss
            out["loss.ctc"] = loss(log_probs=scores, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
    return {name: value.detach().cpu().float().contiguous().numpy() for name, value in out.items()}


def transcript(model):
    if hasattr(model, "tokenizer"):
        ids = model.tokenizer.text_to_ids(TEXT)
    else:
        ids = [LABELS.index(c) for c in TEXT]
    return torch.tensor([ids]), torch.tensor([len(ids)])


def make(folder):
    (folder / "nemo").mkdir(parents=True, exist_ok=True)
    recording(folder / "recording.wav")
    samples = samples_of(folder / "recording.wav")
    for seed, (name, (kind, config)) in enumerate(cases(tokenizer(folder / "tokenizer"), nemo.__version__).items()):
        torch.manual_seed(seed)
        model = getattr(models, kind)(cfg=OmegaConf.create(config))
        shake(model, seed)
        save_file(compute(model, samples), folder / "nemo" / f"{name}.safetensors")
        model.save_to(str(folder / "nemo" / f"{name}.nemo"))
        print("made", name, flush=True)
    facts = {"text": TEXT, "nemo": nemo.__version__, "torch": torch.__version__}
    (folder / "facts.json").write_text(json.dumps(facts) + "\n")


def check(folder):
    samples = samples_of(folder / "recording.wav")
    worst = 0.0
    for path in sorted((folder / "ours").glob("*.nemo")):
        model = ASRModel.restore_from(str(path), map_location="cpu", strict=True)
        found = compute(model, samples)
        wanted = load_file(path.with_suffix(".safetensors"))
        row = []
        for name in wanted:
            if name not in found:
                continue
            assert found[name].shape == wanted[name].shape, (path.name, name, found[name].shape, wanted[name].shape)
            scale = max(1.0, float(abs(found[name]).max()))
            row.append((float(abs(found[name] - wanted[name]).max()) / scale, name))
        again = model.transcribe([str(folder / "recording.wav")], verbose=False)
        again = again[0] if isinstance(again, tuple) else again
        text = again[0].text if hasattr(again[0], "text") else str(again[0])
        ours = json.loads(path.with_suffix(".json").read_text())["transcript"]
        same = "same" if text.strip() == ours.strip() else "another"
        print(f"{path.stem:28} {model.__class__.__name__:30} {len(row):3} tensors, largest difference {max(row)[0]:.1e} ({max(row)[1]}); transcript {same}", flush=True)
        worst = max(worst, max(row)[0])
    print(f"worst of all: {worst:.1e}")
    return 0 if worst < 1e-3 else 1


def trained(folder):
    import lightning.pytorch as lightning

    folder = folder / "trained"
    model = ASRModel.restore_from(str(folder / "run/checkpoints/tones.nemo"), map_location="cpu", strict=True)
    rows = [json.loads(line) for line in (folder / "all.json").read_text().splitlines()]
    found = model.transcribe([str(folder / row["audio_filepath"]) for row in rows], batch_size=1, verbose=False)
    found = found[0] if isinstance(found, tuple) else found
    found = [getattr(one, "text", one) for one in found]
    ours = json.loads((folder / "transcripts.json").read_text())
    equal = sum(a == b for a, b in zip(found, ours))
    print(f"{equal} of {len(rows)} transcripts equal, {sum(a == row['text'] for a, row in zip(found, rows))} right")
    model.setup_training_data(model.cfg.train_ds)
    trainer = lightning.Trainer(
        max_steps=5, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    model.set_trainer(trainer)
    trainer.fit(model)
    trainer.save_checkpoint(folder / "lightning.ckpt")
    print(f"trained on for {trainer.global_step} steps, loss {float(trainer.callback_metrics['train_loss']):.4f}")
    return 0 if equal == len(rows) else 1


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    command, where = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    sys.exit({"make": make, "check": check, "trained": trained}[command](where))
