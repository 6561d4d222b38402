"""Makes test/fixtures/nemo/multitask.*: a tiny EncDecMultiTaskModel of NeMo 2.7 and what NeMo computes with it.

    python test/golden/scripts/nemo_multitask.py test/fixtures/nemo

multitask.nemo is the archive; multitask.safetensors has the stages of one recording with prompt and text, and gradients of
the loss; multitask.json has prompts' ids, the loss with and without the prompt, and hypotheses of greedy and beam search.
"""
import json
import os
import pathlib
import sys
import tempfile

import numpy
import sentencepiece
import torch
from omegaconf import OmegaConf
from safetensors.numpy import save_file

import nemo
from nemo.collections.asr.models import EncDecMultiTaskModel
from nemo.collections.common.tokenizers.canary_tokenizer import DEFAULT_TOKENS

torch.set_num_threads(1)
# Chosen so that hypotheses have several different tokens and end by themselves.
SEED = 0
out = pathlib.Path(sys.argv[1]).resolve()
TEXT = {"en": "hi you are the one", "de": "du bist der eine"}
SPECIAL = DEFAULT_TOKENS + ["<|translate|>", "<|transcribe|>", "<|en|>", "<|de|>", "<|startofcontext|>",
                            "<|emo:undefined|>", "<|itn|>", "<|noitn|>", "<|timestamp|>", "<|notimestamp|>",
                            "<|diarize|>", "<|nodiarize|>"]
GRADIENTS = [
    "log_softmax.mlp.layer0.bias", "transf_decoder._embedding.token_embedding.weight", "transf_decoder._embedding.layer_norm.weight",
    "transf_decoder._decoder.layers.0.first_sub_layer.query_net.weight",
    "transf_decoder._decoder.layers.1.second_sub_layer.key_net.weight",
    "transf_decoder._decoder.layers.1.third_sub_layer.dense_in.weight", "transf_decoder._decoder.final_layer_norm.bias",
    "transf_encoder.layers.0.second_sub_layer.dense_out.weight", "encoder_decoder_proj.weight",
    "encoder.layers.0.norm_out.weight",
]
LAYER = dict(hidden_size=12, inner_size=20, num_attention_heads=3, hidden_act="relu", pre_ln=True)


def tokenizer(folder, **options):
    pathlib.Path(folder).mkdir()
    sentencepiece.SentencePieceTrainer.train(
        model_prefix=f"{folder}/tokenizer", minloglevel=2, normalization_rule_name="identity", bos_id=-1, eos_id=-1,
        pad_id=-1, unk_id=0, hard_vocab_limit=False, **options)
    pathlib.Path(f"{folder}/vocab.txt").write_text("a\n")
    return {"dir": folder, "type": "bpe"}


def config():
    langs = {"spl_tokens": tokenizer("spl", sentence_iterator=iter(SPECIAL), vocab_size=len(SPECIAL) + 2,
                                     user_defined_symbols=SPECIAL, remove_extra_whitespaces=False)}
    for lang, text in TEXT.items():
        langs[lang] = tokenizer(lang, sentence_iterator=iter([text] * 20), vocab_size=24, model_type="bpe")
    return OmegaConf.create({
        "sample_rate": 8000, "prompt_format": "canary", "prompt_defaults": None, "label_smoothing": 0.1,
        "model_defaults": {"asr_enc_hidden": 8, "lm_enc_hidden": 12, "lm_dec_hidden": 12},
        "tokenizer": {"dir": None, "type": "agg", "langs": langs, "custom_tokenizer": {
            "_target_": "nemo.collections.common.tokenizers.canary_tokenizer.CanaryTokenizer", "tokenizers": None}},
        "preprocessor": {"_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor", "sample_rate": 8000,
                         "window_size": 0.025, "window_stride": 0.01, "features": 16, "n_fft": 256, "dither": 0.0, "pad_to": 0},
        "encoder": {"_target_": "nemo.collections.asr.modules.ConformerEncoder", "feat_in": 16, "d_model": 8, "n_heads": 2,
                    "n_layers": 1, "ff_expansion_factor": 2, "conv_kernel_size": 5, "subsampling": "dw_striding",
                    "subsampling_factor": 4, "subsampling_conv_channels": 4, "dropout": 0.0, "dropout_pre_encoder": 0.0,
                    "dropout_emb": 0.0, "dropout_att": 0.0},
        "transf_encoder": {
            "_target_": "nemo.collections.asr.modules.transformer.transformer_encoders.TransformerEncoder", "num_layers": 1,
            **LAYER, "mask_future": False, "pre_ln_final_layer_norm": True},
        "transf_decoder": {
            "_target_": "nemo.collections.asr.modules.transformer.get_nemo_transformer", "model_name": None,
            "pretrained": False, "encoder": None, "pre_ln_final_layer_norm": True,
            "config_dict": {**LAYER, "max_sequence_length": 48, "num_token_types": 0, "embedding_dropout": 0.0,
                            "learn_positional_encodings": False, "num_layers": 2, "vocab_size": None}},
        "head": {"_target_": "nemo.collections.asr.parts.submodules.token_classifier.TokenClassifier", "num_layers": 1,
                 "activation": "relu", "log_softmax": True, "hidden_size": 12, "num_classes": None, "dropout": 0.0,
                 "use_transformer_init": True},
        "decoding": {"strategy": "beam", "beam": {"beam_size": 1, "len_pen": 0.0, "max_generation_delta": 8}},
        "loss": {"_target_": "nemo.collections.common.losses.smoothed_cross_entropy.SmoothedCrossEntropyLoss",
                 "label_smoothing": 0.1, "pad_id": None},
    })


def wave(index, length):
    """test/asr/multitask-golden.test.ts makes the same."""
    return torch.tensor(numpy.sin(numpy.arange(length) ** (1.3 + 0.05 * index) / 40) * 0.3, dtype=torch.float32)[None]


def dialog(model, slots, text=None):
    turns = [dict(role="user", slots=dict(slots))]
    if text is not None:
        turns.append(dict(role="assistant", slots={"text": text, "prompt_language": slots["target_lang"]}))
    return model.prompt.encode_dialog(turns)


PROMPTS = [dict(source_lang=s, target_lang=t, task="asr" if s == t else "ast", pnc=p)
           for s, t, p in [("en", "en", "yes"), ("en", "de", "no"), ("de", "de", "yes"), ("de", "en", "no")]]
SEARCHES = {
    "greedy": dict(strategy="greedy", greedy=dict(max_generation_delta=8)),
    "beam1": dict(strategy="beam", beam=dict(beam_size=1, max_generation_delta=8)),
    "beam3": dict(strategy="beam", beam=dict(beam_size=3, max_generation_delta=8, return_best_hypothesis=False)),
    "beam4_unbounded": dict(strategy="beam", beam=dict(beam_size=4, max_generation_delta=-1, return_best_hypothesis=False)),
    "beam3_penalty": dict(strategy="beam", beam=dict(beam_size=3, length_penalty=1.0, max_generation_delta=8, return_best_hypothesis=False)),
}


def hypotheses(model):
    result = {}
    for name, section in SEARCHES.items():
        model.change_decoding_strategy(OmegaConf.create(section))
        result[name] = []
        for index, slots in enumerate(PROMPTS):
            # Lengths whose padding in the features adds no encoder frame: NeMo counts it for the longest transcript.
            samples = wave(index, 2400 + 960 * index)
            _, _, states, mask = model.forward(input_signal=samples, input_signal_length=torch.tensor([samples.shape[1]]))
            ids = dialog(model, slots)["context_ids"][None]
            found = model.decoding.decode_predictions_tensor(
                encoder_hidden_states=states, encoder_input_mask=mask, decoder_input_ids=ids, return_hypotheses=True)[0]
            several = found if isinstance(found, list) else [found]
            result[name].append([dict(tokens=[int(t) for t in h.y_sequence], text=h.text, score=float(h.score)) for h in several])
    return result


def stages(model, samples, slots, text):
    encoded = dialog(model, slots, text)
    ids, prompt = encoded["input_ids"][None], encoded["context_ids"]
    tokens, labels = ids[:, :-1], ids[:, 1:]
    length = torch.tensor([samples.shape[1]])
    features, feature_length = model.preprocessor(input_signal=samples, length=length)
    outputs, output_lengths = model.encoder(audio_signal=features, length=feature_length)
    log_probs, _, states, mask = model.forward(
        processed_signal=features, processed_signal_length=feature_length, transcript=tokens,
        transcript_length=torch.tensor([tokens.shape[1]]))
    hidden = model.transf_decoder(input_ids=tokens, decoder_mask=torch.ones_like(tokens), encoder_embeddings=states,
                                  encoder_mask=mask)
    loss = model.loss(log_probs=log_probs, labels=labels)
    answer = torch.arange(labels.shape[1])[None] >= len(prompt) - 1
    masked = model.loss(log_probs=log_probs, labels=labels, output_mask=answer)
    loss.backward()
    tensors = {"processed_signal": features, "encoder.outputs": outputs, "encoder_states": states,
               "transf_decoder.outputs": hidden, "log_softmax.outputs": log_probs, "loss.cross_entropy": loss}
    parameters = dict(model.named_parameters())
    tensors.update({f"gradient.{name}": parameters[name].grad for name in GRADIENTS})
    facts = dict(ids=ids[0].tolist(), prompt=prompt.tolist(), loss=float(loss.detach()), loss_without_prompt=float(masked.detach()))
    return {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}, facts


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    torch.manual_seed(SEED)
    model = EncDecMultiTaskModel(cfg=config()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.25 if "norm" in name else 1.2 if "sub_layer" in name else 0.5 if "transf" in name else 0.2
            parameter.add_(torch.randn_like(parameter) * scale)
        # Padding and the classes beyond the vocabulary are never found, the end now and then.
        bias = model.log_softmax.mlp.layer0.bias
        bias[model.tokenizer.vocab_size:] = -50.0
        bias[model.tokenizer.pad_id] = -50.0
        bias[model.tokenizer.eos_id] += 2.5
    model.save_to(str(out / "multitask.nemo"))
    tensors, facts = stages(model, wave(0, 4800), PROMPTS[1], "du bist eine")
    with torch.no_grad():
        facts["hypotheses"] = hypotheses(model)
    facts["prompts"] = [[slots, dialog(model, slots)["context_ids"].tolist()] for slots in PROMPTS]
    facts["nemo"] = nemo.__version__
    os.chdir(out)
save_file(tensors, out / "multitask.safetensors")
(out / "multitask.json").write_text(json.dumps(facts) + "\n")
