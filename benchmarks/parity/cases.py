"""Eight models written by hand, and the sections that drawn.py draws values for."""

LABELS = [" "] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["'"]
TEXT = "the quick brown fox jumps over it"


def preprocessor(**changes):
    return {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "sample_rate": 16000,
        "normalize": "per_feature",
        "window_size": 0.025,
        "window_stride": 0.01,
        "window": "hann",
        "features": 80,
        "n_fft": 512,
        "log": True,
        "frame_splicing": 1,
        "dither": 0.0,
        "pad_to": 0,
        "pad_value": 0.0,
        **changes,
    }


def encoder(**changes):
    return {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": 80,
        "feat_out": -1,
        "n_layers": 2,
        "d_model": 32,
        "subsampling": "striding",
        "subsampling_factor": 4,
        "subsampling_conv_channels": -1,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": 4,
        "att_context_size": [-1, -1],
        "xscaling": True,
        "untie_biases": True,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": 31,
        "conv_norm_type": "batch_norm",
        "dropout": 0.0,
        "dropout_pre_encoder": 0.0,
        "dropout_emb": 0.0,
        "dropout_att": 0.0,
        **changes,
    }


def recurrent(**changes):
    return {
        "_target_": "nemo.collections.asr.modules.RNNEncoder",
        "feat_in": 80,
        "n_layers": 2,
        "d_model": 40,
        "proj_size": 24,
        "rnn_type": "lstm",
        # In both directions NeMo's reads what pads the batch, ours each utterance by itself.
        "bidirectional": False,
        "subsampling": "stacking",
        "subsampling_factor": 4,
        "subsampling_conv_channels": -1,
        "dropout": 0.0,
        **changes,
    }


def ctc_decoder(**changes):
    return {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", "feat_in": None, "num_classes": -1, "vocabulary": [], **changes}


def transducer(width, hidden=40, layers=1, joint=48, dropout=1e-9, activation="relu", fused=False):
    return {
        "model_defaults": {"enc_hidden": width, "pred_hidden": hidden, "joint_hidden": joint},
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": hidden, "pred_rnn_layers": layers, "t_max": None, "dropout": 0.0},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": fused,
            "fused_batch_size": 2,
            "jointnet": {"joint_hidden": joint, "activation": activation, "dropout": dropout},
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}, "beam": {"beam_size": 2, "return_best_hypothesis": False}},
        "loss": {"loss_name": "default", "warprnnt_numba_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0}},
    }


def common(enc, front=None):
    return {
        "sample_rate": 16000,
        "compute_eval_loss": True,
        "log_prediction": True,
        "skip_nan_grad": False,
        "preprocessor": front or preprocessor(),
        "spec_augment": {
            "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
            "freq_masks": 2, "time_masks": 5, "freq_width": 27, "time_width": 0.05,
        },
        "encoder": enc,
        "train_ds": {"manifest_filepath": None, "sample_rate": 16000, "batch_size": 16, "shuffle": True, "use_start_end_token": False, "trim_silence": False},
        "validation_ds": {"manifest_filepath": None, "sample_rate": 16000, "batch_size": 16, "shuffle": False, "use_start_end_token": False},
        "optim": {"name": "adamw", "lr": 5.0, "betas": [0.9, 0.98], "weight_decay": 1e-3, "sched": {"name": "NoamAnnealing", "d_model": 32, "warmup_steps": 10000, "warmup_ratio": None, "min_lr": 1e-6}},
    }


def cases(tokenizer, version):
    # NeMo 2.5 and later fail on their own vggnet (its pooling layers are taken for convolutions).
    vgg = "vggnet" if tuple(int(n) for n in version.split(".")[:2]) < (2, 5) else "striding"
    bpe = {"tokenizer": {"dir": tokenizer, "type": "bpe"}}
    characters = {"labels": LABELS}
    return {
        "ctc-bpe": ("EncDecCTCModelBPE", {**common(encoder()), **bpe, "decoder": ctc_decoder()}),
        "ctc-char-causal": (
            "EncDecCTCModel",
            {
                **common(encoder(d_model=24, n_layers=3, conv_norm_type="layer_norm", conv_context_size="causal", causal_downsampling=True, att_context_size=[20, 3], att_context_style="chunked_limited", conv_kernel_size=9)),
                **characters,
                "decoder": ctc_decoder(feat_in=24, num_classes=len(LABELS), vocabulary=LABELS),
            },
        ),
        "rnnt-bpe": (
            "EncDecRNNTBPEModel",
            {**common(encoder(d_model=40, n_layers=3, subsampling="dw_striding", subsampling_factor=8, subsampling_conv_channels=16, conv_kernel_size=9, xscaling=False)), **bpe, **transducer(40, fused=True)},
        ),
        "rnnt-bpe-stacking": (
            "EncDecRNNTBPEModel",
            {
                **common(encoder(d_model=36, n_heads=6, subsampling="stacking", subsampling_factor=3, conv_norm_type="group_norm4", untie_biases=False, use_bias=False), preprocessor(features=80, normalize="all_features", window_size=0.02)),
                **bpe,
                **transducer(36, hidden=20, layers=2, joint=24, dropout=0.0, activation="tanh"),
            },
        ),
        "rnnt-char": (
            "EncDecRNNTModel",
            {**common(encoder(d_model=16, n_layers=1, n_heads=2, subsampling=vgg, subsampling_conv_channels=8, self_attention_model="abs_pos", conv_kernel_size=5)), **characters, **transducer(16, hidden=24, joint=20)},
        ),
        "hybrid-bpe": (
            "EncDecHybridRNNTCTCBPEModel",
            {
                **common(encoder(subsampling="dw_striding", subsampling_conv_channels=12, att_context_size=[16, 8])),
                **bpe,
                **transducer(32),
                "aux_ctc": {"ctc_loss_weight": 0.3, "use_cer": False, "ctc_reduction": "mean_batch", "decoder": ctc_decoder(), "decoding": {"strategy": "greedy"}},
            },
        ),
    }


def recurrent_cases(tokenizer):
    bpe = {"tokenizer": {"dir": tokenizer, "type": "bpe"}}
    return {
        "ctc-recurrent": (
            "EncDecCTCModelBPE",
            {**common(recurrent(subsampling="striding", subsampling_conv_channels=8)), **bpe, "decoder": ctc_decoder()},
        ),
        # No rnn_hidden_size in the prediction network: NeMo's greedy_batch fails with it.
        "rnnt-recurrent": ("EncDecRNNTBPEModel", {**common(recurrent()), **bpe, **transducer(24, hidden=20)}),
    }
