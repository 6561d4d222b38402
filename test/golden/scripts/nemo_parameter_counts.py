"""Parameters of every stock configuration, counted in NeMo's own classes (nemo_toolkit 2.4), built from our files.

    python test/golden/scripts/nemo_parameter_counts.py conf/asr test/golden/parameter_counts.json

BPE models get 1024 tokens. No weight is allocated (PyTorch's fake tensors).
"""
import json
import sys

from omegaconf import OmegaConf
from torch._subclasses.fake_tensor import FakeTensorMode

import nemo.collections.asr  # noqa: F401  registers the classes
from nemo.core.classes import Serialization

encoder = "model.encoder."
defaults = "model.model_defaults."


def conformer(d, heads, layers, kernel, pred=None, rnn=1, xscaling=None):
    sizes = {encoder + "d_model": d, encoder + "n_heads": heads, encoder + "n_layers": layers,
             encoder + "conv_kernel_size": kernel}
    if pred:
        sizes.update({defaults + "pred_hidden": pred, defaults + "joint_hidden": pred,
                      "model.decoder.prednet.pred_rnn_layers": rnn})
    if xscaling is not None:
        sizes[encoder + "xscaling"] = xscaling
    return sizes


TRANSDUCER = {"S": conformer(176, 4, 16, 31, 320), "M": conformer(256, 4, 16, 31, 640),
              "L": conformer(512, 8, 17, 31, 640), "XL": conformer(1024, 8, 24, 5, 640, 2)}
CTC = {"S": conformer(176, 4, 16, 31), "M": conformer(256, 4, 18, 31), "L": conformer(512, 8, 18, 31),
       "XL": conformer(1024, 8, 24, 5)}
FAST = {"S": conformer(176, 4, 16, 9, 320), "M": conformer(256, 4, 16, 9, 640), "L": conformer(512, 8, 17, 9, 640),
        "XL": conformer(1024, 8, 24, 9, 640, 2), "XXL": conformer(1024, 8, 42, 5, 640, 2, False)}
FAST_CTC = {"S": conformer(176, 4, 16, 9), "M": conformer(256, 4, 16, 9), "L": conformer(512, 8, 18, 9),
            "XL": conformer(1024, 8, 24, 9, xscaling=False), "XXL": conformer(1024, 8, 42, 5, xscaling=False)}

LSTM = {"bidirectional": {}, "unidirectional": {encoder + "bidirectional": False}}


def filters(n, **more):
    return {defaults + "filters": n, **{defaults + key: value for key, value in more.items()}}


def squeezeformer(d, layers, heads, reduce):
    return {encoder + "d_model": d, encoder + "n_layers": layers, encoder + "n_heads": heads,
            encoder + "time_reduce_idx": reduce}


def attention(layers, decoder_layers, length, width):
    sizes = "model.transf_decoder.config_dict."
    return {encoder + "n_layers": layers, sizes + "num_layers": decoder_layers, sizes + "max_sequence_length": length,
            defaults + "asr_enc_hidden": width}


STOCK = {
    "conformer/conformer_transducer_bpe": TRANSDUCER,
    "conformer/conformer_transducer_char": TRANSDUCER,
    "conformer/conformer_transducer_bpe_streaming": TRANSDUCER,
    "conformer/conformer_hybrid_transducer_ctc_bpe": TRANSDUCER,
    "conformer/tdt/conformer_tdt_bpe": TRANSDUCER,
    "conformer/tdt/conformer_tdt_bpe_stateless": TRANSDUCER,
    "conformer/multiblank/conformer_multiblank_transducer_bpe": TRANSDUCER,
    "conformer/hat/conformer_hat_bpe": TRANSDUCER,
    "conformer/conformer_ctc_bpe": CTC,
    "conformer/conformer_ctc_char": CTC,
    "fastconformer/fast-conformer_transducer_bpe": FAST,
    "fastconformer/fast-conformer-long_transducer_bpe": FAST,
    "fastconformer/fast-conformer_ctc_bpe": FAST_CTC,
    "fastconformer/fastconformer_hybrid_transducer_ctc_bpe": FAST,
    "fastconformer/fastconformer_hybrid_transducer_ctc_bpe_streaming": FAST,
    "citrinet/citrinet_512": {"384": filters(384, dropout=0.0), "512": {}, "1024": filters(
        1024, kernel_size_factor=0.25, enc_final=1024)},
    "contextnet_rnnt/contextnet_rnnt": {"S": filters(256), "M": filters(512), "L": filters(1024)},
    "lstm/lstm_ctc_bpe": LSTM,
    "lstm/lstm_transducer_bpe": LSTM,
    "quartznet/quartznet_15x5": {"15x5": {}},
    "jasper/jasper_10x5dr": {"10x5dr": {}},
    "speech_multitask/fast-conformer_aed": {
        "canary-1b": {},
        "canary-1b-flash": attention(32, 4, 1024, 1024), "canary-180m-flash": attention(17, 4, 1024, 512)},
    "squeezeformer/squeezeformer_ctc_bpe": {
        "XS": squeezeformer(144, 16, 4, 7), "S": squeezeformer(196, 18, 4, 8), "SM": squeezeformer(256, 16, 4, 7),
        "M": squeezeformer(324, 20, 4, 9), "ML": squeezeformer(512, 18, 8, 8), "L": squeezeformer(640, 22, 8, 10)},
}


def count(section, **values):
    config = OmegaConf.create(OmegaConf.to_container(section, resolve=True))
    config.update(values)
    with FakeTensorMode():
        module = Serialization.from_config_dict(config)
    return module, sum(parameter.numel() for parameter in module.parameters())


def counts(config):
    model = config.model
    size = len(model.labels) if "labels" in model else 1024
    encoder_module, encoder_count = count(model.encoder)
    width = encoder_module._feat_out
    result = {"encoder": encoder_count}
    vocabulary = [str(i) for i in range(size)]
    frame = dict(feat_in=width, num_classes=size, vocabulary=vocabulary)
    if "transf_decoder" in model:
        result.update(attention_counts(model, size, width))
    elif "joint" in model:
        _, result["decoder"] = count(model.decoder, vocab_size=size)
        jointnet = {**OmegaConf.to_container(model.joint.jointnet, resolve=True), "encoder_hidden": width,
                    "pred_hidden": model.decoder.prednet.pred_hidden}
        _, result["joint"] = count(model.joint, num_classes=size, vocabulary=vocabulary, jointnet=jointnet)
        if "aux_ctc" in model:
            _, result["ctc_decoder"] = count(model.aux_ctc.decoder, **frame)
    else:
        _, result["decoder"] = count(model.decoder, **frame)
    return result


def attention_counts(model, size, width):
    """The classifier's matrix is the embedding of the decoder, so only its bias is its own."""
    sizes = OmegaConf.to_container(model.transf_decoder.config_dict, resolve=True)
    _, decoder = count(model.transf_decoder, config_dict={**sizes, "vocab_size": size})
    hidden = sizes["hidden_size"]
    _, head = count(model.head, num_classes=size)
    projection = width * hidden + hidden if width != hidden else 0
    return {"decoder": decoder, "head": head - size * hidden, "projection": projection}


def main(folder, output):
    result = {}
    for name, sizes in STOCK.items():
        result[name] = {}
        for size, overrides in sizes.items():
            config = OmegaConf.load(f"{folder}/{name}.yaml")
            for key, value in overrides.items():
                OmegaConf.update(config, key, value)
            result[name][size] = {"overrides": overrides, "parameters": counts(config)}
            print(name, size, sum(result[name][size]["parameters"].values()), flush=True)
    with open(output, "w") as f:
        json.dump(result, f, indent=1)


main(*sys.argv[1:])
