"""`config.json` as published checkpoints have it, from what transformers 5 saves.

Each function takes that dictionary and returns it in the style of the model's own publisher.
"""


def published(config, version="4.40.0"):
    """`rope_theta` and `rope_scaling` at the top, `torch_dtype`, window layers left to the class."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope_type = rope.pop("rope_type")
    config["rope_scaling"] = None if rope_type == "default" else {"rope_type": rope_type, **rope}
    if config.get("head_dim") == config["hidden_size"] // config["num_attention_heads"]:
        del config["head_dim"]
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = version
    config.pop("layer_types", None)
    return config


def old_type_key(config):
    """Before `rope_type` the key was `type`."""
    config["rope_scaling"] = {"type": config["rope_scaling"].pop("rope_type"), **config["rope_scaling"]}
    return config


def published_linear(config):
    return old_type_key(published(config, "4.33.0"))


def published_yarn(config):
    """As the Qwen2.5 cards tell users to write it: `type`."""
    return old_type_key(published(config, "4.43.1"))


def published_gemma2(config):
    config = published(config, "4.42.4")
    del config["rope_scaling"]
    del config["tie_word_embeddings"]  # the class's default: true
    config["hidden_act"] = config["hidden_activation"]
    config["cache_implementation"] = "hybrid"
    return config


def published_gemma3_text(config):
    rope = config.pop("rope_parameters")
    full, local = rope["full_attention"], rope["sliding_attention"]
    config["rope_theta"] = full.pop("rope_theta")
    config["rope_local_base_freq"] = local["rope_theta"]
    config["rope_scaling"] = None if full["rope_type"] == "default" else full
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.50.0.dev0"
    config["sliding_window_pattern"] = config.pop("layer_types").index("full_attention") + 1
    config.pop("_sliding_window_pattern")  # transformers writes 6 there whatever `layer_types` says
    config.pop("tie_word_embeddings", None)  # the class's default: true
    return config


def published_gemma3(config):
    """`text_config` with almost everything left to the class, as google/gemma-3-4b has it."""
    text = published_gemma3_text(config["text_config"])
    for key in ("torch_dtype", "transformers_version"):
        config[key] = text.pop(key)
    defaults = dict(
        rope_theta=1000000.0,
        rope_local_base_freq=10000.0,
        rms_norm_eps=1e-6,
        hidden_activation="gelu_pytorch_tanh",
        attention_bias=False,
        attention_dropout=0.0,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        initializer_range=0.02,
        use_cache=True,
        use_bidirectional_attention=False,
        num_key_value_heads=4,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    for key, default in defaults.items():
        if key in text and text[key] == default:
            del text[key]
    config["text_config"] = dict(sorted(text.items()))
    config.pop("dtype", None)
    config.pop("tie_word_embeddings", None)
    return config


def published_phi3(config):
    config = published(config, "4.39.3")
    rope = config["rope_scaling"]
    if rope is not None:
        rope.pop("original_max_position_embeddings", None)
        config["partial_rotary_factor"] = rope.pop("partial_rotary_factor", 1.0)
        config = old_type_key(config)
    return config
