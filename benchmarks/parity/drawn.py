"""Configs drawn at random from a seed: every kind of encoder with every kind of head, the rest by chance.

Dropout is off everywhere: gradients and training are compared. 1e-9 in a joint drops nothing, but makes the dropout
layer that counts in the names of the weights.
"""
import itertools
import random

from cases import LABELS, common, ctc_decoder, encoder, preprocessor, transducer

FAMILIES = ("conformer", "fastconformer", "squeezeformer", "convolutional")
HEADS = ("ctc", "rnnt", "hybrid", "tdt", "hybrid-tdt", "multiblank", "hat", "stateless")


def drawn(seed, count, tokenizers, version):
    """`count` cases by name: (class, config). Of 32, each pair of encoder and head once."""
    order = random.Random(f"pairs {seed}")
    pairs = []
    while len(pairs) < count:
        some = list(itertools.product(FAMILIES, HEADS))
        order.shuffle(some)
        pairs += some
    return dict(draw(seed, i, *pairs[i], tokenizers, version) for i in range(count))


def draw(seed, index, family, head, tokenizers, version):
    rng = random.Random(f"{seed} {index}")
    features = rng.choice([40, 64, 80])
    enc, width = {"conformer": conformer, "fastconformer": fastconformer, "squeezeformer": squeezeformer, "convolutional": convolutional}[family](rng, features, version)
    config = common(enc, front_end(rng, features))
    vocabulary = rng.choice(["bpe", "unigram", "characters"])
    config.update({"labels": LABELS} if vocabulary == "characters" else {"tokenizer": {"dir": tokenizers[vocabulary], "type": "bpe"}})
    classifier = {"feat_in": width, "num_classes": len(LABELS), "vocabulary": LABELS} if vocabulary == "characters" else {}
    if head == "ctc":
        config["decoder"] = ctc_decoder(**classifier)
        config["ctc_reduction"] = rng.choice(["mean_batch", "mean_batch", "mean_volume"])
        kind = "EncDecCTCModel" if vocabulary == "characters" else "EncDecCTCModelBPE"
        return f"{index:02}-{family}-{head}", (kind, config)
    config.update(transducer_head(rng, head.removeprefix("hybrid-"), width))
    kind = "EncDecRNNTModel" if vocabulary == "characters" else "EncDecRNNTBPEModel"
    if head.startswith("hybrid"):
        weight = rng.choice([0.2, 0.3, 0.5])
        config["aux_ctc"] = {"ctc_loss_weight": weight, "use_cer": False, "ctc_reduction": "mean_batch", "decoder": ctc_decoder(**classifier), "decoding": {"strategy": "greedy"}}
        kind = "EncDecHybridRNNTCTCModel" if vocabulary == "characters" else "EncDecHybridRNNTCTCBPEModel"
    return f"{index:02}-{family}-{head}", (kind, config)


def front_end(rng, features):
    return preprocessor(
        features=features,
        normalize=rng.choice(["per_feature", "per_feature", "all_features", "NA"]),
        window=rng.choice(["hann", "hann", "hamming", "blackman"]),
        window_size=rng.choice([0.02, 0.025, 0.032]),
        pad_to=rng.choice([0, 8, 16]),
        preemph=rng.choice([0.97, 0.97, None]),
        mag_power=rng.choice([2.0, 2.0, 1.0]),
        log_zero_guard_type=rng.choice(["add", "add", "clamp"]),
        dither=0.0,
    )


def norm(rng, version):
    return rng.choice(["batch_norm", "batch_norm", "layer_norm", "group_norm4", "instance_norm"])


def conformer(rng, features, version):
    old = tuple(int(n) for n in version.split(".")[:2]) < (2, 5)
    kinds = ["striding", "dw_striding", "striding_conv1d", "dw_striding_conv1d", "stacking", "stacking_norm"]
    subsampling = rng.choice(kinds + (["vggnet"] if old else []))
    width = rng.choice([16, 24, 32, 48])
    kernel = rng.choice([5, 9, 15])
    out = rng.choice([-1, -1, -1, 20])
    style = rng.choice(["full", "full", "limited", "chunked", "local"])
    contexts = {
        "full": {"att_context_size": [-1, -1]},
        "limited": {"att_context_size": rng.choice([[8, 4], [5, 0], [-1, 3]])},
        "chunked": {"att_context_size": rng.choice([[8, 3], [6, 1], [-1, 2]]), "att_context_style": "chunked_limited"},
        "local": {"att_context_size": rng.choice([[4, 4], [6, 6]])},
    }
    positions = "rel_pos_local_attn" if style == "local" else rng.choice(["rel_pos", "rel_pos", "abs_pos"])
    reduction = {}
    if subsampling in ("striding", "dw_striding") and rng.random() < 0.25:
        reduction = {"reduction": rng.choice(["pooling", "striding"]), "reduction_position": rng.choice([0, -1]), "reduction_factor": 2}
    config = encoder(
        feat_in=features,
        feat_out=out,
        n_layers=rng.choice([1, 2, 3]) if not reduction else 2,
        d_model=width,
        n_heads=rng.choice([2, 4]),
        ff_expansion_factor=rng.choice([2, 4]),
        subsampling=subsampling,
        subsampling_factor=4 if "conv1d" in subsampling or subsampling == "vggnet" else rng.choice([2, 4]),
        subsampling_conv_channels=rng.choice([-1, 8, 12]) if "conv1d" not in subsampling else -1,
        causal_downsampling=subsampling in ("striding", "dw_striding") and rng.random() < 0.4,
        self_attention_model=positions,
        xscaling=rng.random() < 0.5,
        untie_biases=rng.random() < 0.7,
        use_bias=rng.random() < 0.7,
        conv_kernel_size=kernel,
        conv_norm_type=norm(rng, version),
        conv_context_size=rng.choice([None, None, "causal", [kernel - 2, 1]]),
        **contexts[style],
        **reduction,
    )
    return config, width if out == -1 else out


def fastconformer(rng, features, version):
    width = rng.choice([24, 32, 48])
    local = rng.random() < 0.3
    glob = {"global_tokens": 1, "global_attn_separate": rng.random() < 0.5} if local and rng.random() < 0.5 else {}
    contexts = {"att_context_size": [6, 6]} if local else rng.choice([{"att_context_size": [-1, -1]}, {"att_context_size": [8, 1], "att_context_style": "chunked_limited"}])
    streaming = "att_context_style" in contexts
    config = encoder(
        feat_in=features,
        n_layers=rng.choice([2, 3]),
        d_model=width,
        subsampling="dw_striding",
        subsampling_factor=8,
        subsampling_conv_channels=16,
        causal_downsampling=streaming,
        self_attention_model="rel_pos_local_attn" if local else "rel_pos",
        xscaling=False,
        use_bias=rng.random() < 0.5,
        conv_kernel_size=9,
        conv_norm_type="layer_norm" if streaming else norm(rng, version),
        conv_context_size="causal" if streaming else None,
        **contexts,
        **glob,
    )
    return config, width


def squeezeformer(rng, features, version):
    width = rng.choice([16, 32])
    out = rng.choice([-1, -1, 20])
    shorter = rng.choice([None, 0, 1])
    config = {
        "_target_": "nemo.collections.asr.modules.SqueezeformerEncoder",
        "feat_in": features,
        "feat_out": out,
        "n_layers": 3,
        "d_model": width,
        "subsampling": rng.choice(["dw_striding", "striding"]),
        "subsampling_factor": 4,
        "subsampling_conv_channels": rng.choice([-1, 12]),
        "ff_expansion_factor": rng.choice([2, 4]),
        "self_attention_model": rng.choice(["rel_pos", "rel_pos", "abs_pos"]),
        "n_heads": 4,
        "att_context_size": rng.choice([[-1, -1], [10, 6]]),
        "xscaling": rng.random() < 0.5,
        "untie_biases": rng.random() < 0.7,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": rng.choice([5, 15, 31]),
        "conv_norm_type": rng.choice(["batch_norm", "batch_norm", "layer_norm"]),
        "dropout": 0.0,
        "dropout_emb": 0.0,
        "dropout_att": 0.0,
        "adaptive_scale": rng.random() < 0.6,
        "time_reduce_idx": shorter,
        "time_recovery_idx": rng.choice([None, 2]) if shorter is not None else None,
    }
    return config, width if out == -1 else out


def block(filters, kernel, **more):
    return {"filters": filters, "repeat": 1, "kernel": [kernel], "stride": [1], "dilation": [1], "dropout": 0.0, "residual": False, **more}


def convolutional(rng, features, version):
    width = rng.choice([24, 32])
    kind = rng.choice(["quartznet", "jasper", "citrinet"])
    if kind == "quartznet":
        blocks = [block(16, 11, stride=[2], separable=True), block(20, 7, repeat=2, residual=True, separable=True), block(20, 9, repeat=3, residual=True, separable=True), block(24, 7, dilation=[2], separable=True), block(width, 1)]
    elif kind == "jasper":
        dense = rng.random() < 0.5
        blocks = [block(16, 11, stride=[2]), block(16, 5, repeat=2, residual=True, residual_dense=dense), block(20, 7, repeat=2, residual=True, residual_dense=dense), block(20, 5, dilation=[2]), block(width, 1)]
    else:
        se = {"separable": True, "se": True, "se_context_size": -1, "se_reduction_ratio": 4}
        blocks = [block(16, 5, **se), block(16, 11, repeat=2, stride=[2], residual=True, stride_last=True, residual_mode="stride_add", **se), block(16, 9, repeat=2, residual=True, **se), block(20, 7, repeat=2, stride=[2], residual=True, stride_last=True, residual_mode="stride_add", **se), block(width, 1, **se)]
    config = {
        "_target_": "nemo.collections.asr.modules.ConvASREncoder",
        "feat_in": features,
        "activation": rng.choice(["relu", "relu", "swish"]),
        "conv_mask": True,
        "jasper": blocks,
        **rng.choice([{}, {}, {"normalization_mode": "layer"}, {"normalization_mode": "group", "norm_groups": 4}]),
    }
    return config, width


def transducer_head(rng, head, width):
    config = transducer(
        width,
        hidden=rng.choice([16, 24, 32]),
        layers=rng.choice([1, 1, 2]),
        joint=rng.choice([20, 32]),
        dropout=rng.choice([0.0, 1e-9]),
        activation=rng.choice(["relu", "tanh", "sigmoid"]),
        fused=head in ("rnnt", "stateless") and rng.random() < 0.5,
    )
    config["rnnt_reduction"] = rng.choice(["mean_batch", "mean_batch", "mean_volume", "mean"])
    if head in ("rnnt", "stateless", "hat"):
        options = {"fastemit_lambda": rng.choice([0.0, 0.0, 0.01]), "clamp": rng.choice([-1.0, -1.0, 0.01]) if head != "hat" else -1.0}
        config["loss"] = {"loss_name": "default", "warprnnt_numba_kwargs": options}
    if head == "tdt":
        durations = rng.choice([[0, 1, 2], [0, 1, 2, 3, 4]])
        config["joint"]["num_extra_outputs"] = len(durations)
        config["decoding"].update({"model_type": "tdt", "durations": durations})
        config["loss"] = {"loss_name": "tdt", "tdt_kwargs": {"durations": durations, "sigma": rng.choice([0.0, 0.05])}}
    if head == "multiblank":
        durations = rng.choice([[2], [2, 4]])
        config["joint"]["num_extra_outputs"] = len(durations)
        config["decoding"].update({"model_type": "multiblank", "big_blank_durations": durations})
        config["loss"] = {"loss_name": "multiblank_rnnt", "multiblank_rnnt_kwargs": {"big_blank_durations": durations, "sigma": rng.choice([0.0, 0.05])}}
    if head == "hat":
        config["joint"]["_target_"] = "nemo.collections.asr.modules.HATJoint"
    if head == "stateless":
        config["decoder"]["_target_"] = "nemo.collections.asr.modules.StatelessTransducerDecoder"
        config["decoder"]["context_size"] = rng.choice([1, 2, 3])
        config["decoder"]["normalization_mode"] = rng.choice([None, "layer"])
        for section, key in ((config["decoder"], "random_state_sampling"), (config["decoder"], "blank_as_pad"), (config["decoder"]["prednet"], "pred_rnn_layers"), (config["decoder"]["prednet"], "t_max")):
            section.pop(key)
    return config
