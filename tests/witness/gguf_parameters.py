"""The keys and tensors of a GGUF file that hold a model's config, as llama.cpp's converter writes them.

Follows `set_gguf_parameters` and `generate_extra_tensors` in llama.cpp's conversion/{base,llama,gemma,
qwen,phi}.py. One difference: the converter takes 8192 for Llama 3's original length wherever that
stands in `rope_scaling`; here it is the model's own, which is far shorter.
"""

import math

import gguf
import torch


def head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def add_parameters(writer, architecture, config):
    writer.add_name("tiny")
    {"gemma2": add_gemma2, "phi3": add_phi3}.get(architecture, add_common)(writer, config)
    if architecture == "llama":
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(head_dim(config))
    if architecture == "gemma3" and config.final_logit_softcapping:
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if architecture == "gemma3":
        writer.add_sliding_window(config.sliding_window)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    # A vocabulary of nothing but numbers: what matters here is how long it is.
    writer.add_tokenizer_model("none")
    writer.add_token_list([f"<{token}>" for token in range(config.vocab_size)])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)


def add_sizes(writer, config):
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def add_head_width(writer, config):
    if getattr(config, "head_dim", None) is not None:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)


def add_common(writer, config):
    add_sizes(writer, config)
    add_head_width(writer, config)
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    writer.add_rope_freq_base(rope["rope_theta"])
    if local := config.rope_parameters.get("sliding_attention"):
        writer.add_rope_freq_base_swa(local["rope_theta"])


def add_gemma2(writer, config):
    add_sizes(writer, config)
    add_head_width(writer, config)
    writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    writer.add_final_logit_softcapping(config.final_logit_softcapping)
    writer.add_sliding_window(config.sliding_window)


def add_phi3(writer, config):
    add_sizes(writer, config)
    rope = config.rope_parameters
    original = config.original_max_position_embeddings
    writer.add_rope_scaling_orig_ctx_len(original)
    fraction = rope.get("partial_rotary_factor", 1.0)
    writer.add_rope_dimension_count(int(fraction * config.hidden_size) // config.num_attention_heads)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_sliding_window(config.sliding_window or 0)
    if "long_factor" in rope:
        stretch = config.max_position_embeddings / original
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(stretch) / math.log(original)))


def rotary_divisors(architecture, config):
    """Tensors that are no weights."""
    rope = config.rope_parameters
    if architecture == "phi3" and "long_factor" in rope:
        names = {"long_factor": "rope_factors_long.weight", "short_factor": "rope_factors_short.weight"}
        return {name: torch.tensor(rope[key], dtype=torch.float32) for key, name in names.items()}
    if architecture == "llama" and rope["rope_type"] == "llama3":
        return {"rope_freqs.weight": llama3_divisors(rope, head_dim(config))}
    return {}


def llama3_divisors(rope, width):
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    divisors = []
    for exponent in torch.arange(0, width, 2, dtype=torch.float32) / width:
        turns = original / (2 * math.pi * rope["rope_theta"] ** exponent)
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        divisors.append(1 / ((1 - kept) / factor + kept))
    return torch.stack(divisors)
