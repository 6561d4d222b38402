"""Writes test/fixtures/nemo/prompt-hybrid.nemo and prompt-hybrid.json: a model of NeMo's own class
EncDecHybridRNNTCTCBPEModelWithPrompt (nemo_toolkit 2.7.3, CPU), what it makes of one recording with each prompt, its loss
and the gradients of the prompt's layers. Run: python3 nemo_prompt_hybrid.py

It is hybrid-bpe.nemo with prompts. `python3 nemo_prompt_hybrid.py FILE.nemo` restores a file with strict=True instead, and
prints what that hears."""
import json, os, sys, tempfile
import numpy as np
import soundfile as sf
import torch
from omegaconf import OmegaConf, open_dict
from nemo.collections.asr.models import ASRModel
from nemo.collections.asr.models.hybrid_rnnt_ctc_bpe_models_prompt import EncDecHybridRNNTCTCBPEModelWithPrompt as Model

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../fixtures/nemo")
PROMPTS = {"en-US": 0, "de-DE": 1, "fr-FR": 3}
samples = (np.sin(np.arange(4800) ** 1.3 / 40) * 0.3).astype(np.float32)
TEXT = "the fox"


def texts(model):
    """By file, as `transcribe` of NeMo hears it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.wav")
        sf.write(path, samples, model.preprocessor._sample_rate, subtype="FLOAT")
        for decoder in ("rnnt", "ctc"):
            model.change_decoding_strategy(None, decoder_type=decoder)
            for lang, index in PROMPTS.items():
                encoded, lengths = forward(model, index)
                if decoder == "rnnt":
                    h = model.decoding.rnnt_decoder_predictions_tensor(encoder_output=encoded, encoded_lengths=lengths, return_hypotheses=True)
                else:
                    h = model.ctc_decoding.ctc_decoder_predictions_tensor(
                        decoder_outputs=model.ctc_decoder(encoder_output=encoded), decoder_lengths=lengths, return_hypotheses=True)
                found[f"{decoder} {lang}"] = h[0].text
    return found


def forward(model, index):
    length = torch.tensor([len(samples)])
    prompt = torch.zeros(1, 200, model.num_prompts)
    prompt[:, :, index] = 1
    return model.forward(input_signal=torch.tensor(samples)[None], input_signal_length=length, prompt=prompt)


if len(sys.argv) > 1:
    restored = ASRModel.restore_from(sys.argv[1], map_location="cpu", strict=True)
    restored.eval()
    with torch.no_grad():
        encoded, _ = forward(restored, PROMPTS["fr-FR"])
        print(type(restored).__name__, json.dumps(dict(texts=texts(restored), encoded=encoded.flatten().tolist())))
    sys.exit()

base = os.path.join(FOLDER, "hybrid-bpe.nemo")
config = ASRModel.restore_from(base, return_config=True)
with open_dict(config):
    config.target = "nemo.collections.asr.models.hybrid_rnnt_ctc_bpe_models_prompt.EncDecHybridRNNTCTCBPEModelWithPrompt"
    config.nemo_version = "2.7.3"
    config.subsampling_factor = 4
    config.model_defaults.update(initialize_prompt_feature=True, num_prompts=5, prompt_dictionary=PROMPTS)
model = Model.restore_from(base, override_config_path=config, map_location="cpu", strict=False)
generator = torch.Generator().manual_seed(3)
with torch.no_grad():
    for p in model.prompt_kernel.parameters():
        p.copy_(0.9 * torch.randn(p.shape, generator=generator))
model.eval()
ids = model.tokenizer.text_to_ids(TEXT)
targets, target_lengths = torch.tensor([ids]), torch.tensor([len(ids)])
encoded, lengths = forward(model, PROMPTS["de-DE"])
predicted, _, _ = model.decoder(targets=targets, target_length=target_lengths)
logits = model.joint(encoder_outputs=encoded, decoder_outputs=predicted)
rnnt = model.loss(log_probs=logits, targets=targets, input_lengths=lengths, target_lengths=target_lengths)
ctc = model.ctc_loss(log_probs=model.ctc_decoder(encoder_output=encoded), targets=targets, input_lengths=lengths, target_lengths=target_lengths)
loss = (1 - model.ctc_loss_weight) * rnnt + model.ctc_loss_weight * ctc
loss.backward()
facts = dict(nemo="2.7.3", prompts=PROMPTS, text=TEXT, ids=ids, loss=float(loss), rnnt=float(rnnt), ctc=float(ctc),
             gradients={n: p.grad.flatten().tolist() for n, p in model.named_parameters() if "prompt_kernel" in n})
with torch.no_grad():
    facts["encoded"] = {lang: forward(model, index)[0].flatten().tolist() for lang, index in PROMPTS.items()}
    facts["texts"] = texts(model)
model.save_to(os.path.join(FOLDER, "prompt-hybrid.nemo"))
with open(os.path.join(FOLDER, "prompt-hybrid.json"), "w") as f:
    json.dump(facts, f, ensure_ascii=False)
    f.write("\n")
print(facts["texts"], facts["loss"])
