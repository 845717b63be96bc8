"""The features of a decoder, each switched off once: a golden that does not notice is no golden.

Each switch takes a copy of the model and breaks one thing, the way an implementation would.
"""

import copy

import torch
from torch import nn

from backbones import decoder, run
from common import MUST_BREAK, difference_in_tolerances

# ---- the parts of a layer -------------------------------------------------------------


def text_config(model):
    return model.config.get_text_config()


def layers(model):
    return decoder(model).layers


def query_key_value(attention):
    """Views of q's, k's and v's rows, [weight] or [weight, bias] each, fused or not."""
    if not hasattr(attention, "qkv_proj"):
        linears = (attention.q_proj, attention.k_proj, attention.v_proj)
        return [[tensor for tensor in (linear.weight, linear.bias) if tensor is not None] for linear in linears]
    config = attention.config
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    sizes = [count * attention.head_dim for count in (heads, kv_heads, kv_heads)]
    return [[rows] for rows in attention.qkv_proj.weight.data.split(sizes)]


def query_and_key_rows(attention):
    query, key, _ = query_key_value(attention)
    return [query[0], key[0]]


def windows(config):
    """Per layer: how many keys a query sees, itself included, or None for all before it."""
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None)
    if types is None:  # mistral, phi3: every layer
        return [window] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in types]


def head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rotary_dim(config):
    parameters = config.rope_parameters
    return int(head_dim(config) * parameters.get("partial_rotary_factor", 1.0))


# ---- attention ------------------------------------------------------------------------


def with_windows(wanted):
    """Gives every layer a mask of our own: query q sees key k when q - window < k <= q."""

    def switch(model):
        for layer, window in zip(layers(model), wanted):

            def replace_mask(_module, args, kwargs, window=window):
                seq = kwargs["attention_mask"].shape[-1]
                distance = torch.arange(seq)[:, None] - torch.arange(seq)[None, :]
                visible = (distance >= 0) & (distance < (window or seq))
                mask = torch.where(visible, 0.0, torch.finfo(torch.float32).min)
                return args, kwargs | {"attention_mask": mask[None, None]}

            layer.register_forward_pre_hook(replace_mask, with_kwargs=True)

    return switch


def tiled_heads(model):
    """Query head i reads key head i % kv_heads instead of i // group: reorder the query heads."""
    config = text_config(model)
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    order = sorted(range(heads), key=lambda head: (head % kv_heads, head))
    for layer in layers(model):
        attention = layer.self_attn
        for tensor in query_key_value(attention)[0]:
            per_head = tensor.view(heads, -1, *tensor.shape[1:])
            tensor.copy_(per_head[order].reshape(tensor.shape))
        output = attention.o_proj.weight
        output.copy_(output.view(output.shape[0], heads, -1)[:, order].reshape(output.shape))


def scaled_by_head_dim(model):
    for layer in layers(model):
        layer.self_attn.scaling = layer.self_attn.head_dim**-0.5


def without_attention_cap(model):
    for layer in layers(model):
        layer.self_attn.attn_logit_softcapping = None


def without_final_cap(model):
    text_config(model).final_logit_softcapping = None


def swapped_key_and_value(model):
    for layer in layers(model):
        _, (key,), (value,) = query_key_value(layer.self_attn)
        kept = key.clone()
        key.copy_(value)
        value.copy_(kept)


def without_bias(linear):
    def switch(model):
        for layer in layers(model):
            getattr(layer.self_attn, linear).bias.zero_()

    return switch


# ---- rotary embedding -----------------------------------------------------------------


def without_rope(model):
    rotary = decoder(model).rotary_emb
    if getattr(rotary, "rope_type", None) == "longrope":
        rotary.rope_type = "default"  # it would compute its frequencies again
    for name, buffer in rotary.named_buffers():
        if name.endswith("inv_freq"):
            buffer.zero_()


def interleaved_rope(model):
    """Pairs (2i, 2i+1) instead of (i, i + half): the same as permuting q's and k's rows."""
    size, rotary = head_dim(text_config(model)), rotary_dim(text_config(model))
    order = torch.cat([torch.arange(0, rotary, 2), torch.arange(1, rotary, 2), torch.arange(rotary, size)])
    for layer in layers(model):
        attention = layer.self_attn
        for tensors in query_key_value(attention)[:2]:
            for tensor in tensors:
                heads = tensor.view(-1, size, *tensor.shape[1:])
                tensor.copy_(heads[:, order].reshape(tensor.shape))
        if hasattr(attention, "q_norm"):
            attention.q_norm.weight.copy_(attention.q_norm.weight[order])
            attention.k_norm.weight.copy_(attention.k_norm.weight[order])


def rebuild_rope(change):
    """The frequencies of a config that `change` has edited (its own copy of `rope_parameters`)."""

    def switch(model):
        config = copy.deepcopy(text_config(model))
        change(config.rope_parameters)
        decoder(model).rotary_emb = type(decoder(model).rotary_emb)(config)

    return switch


def with_rope(**changes):
    return rebuild_rope(lambda parameters: parameters.update(changes))


def without_attention_factor(model):
    decoder(model).rotary_emb.attention_scaling = 1.0


def only_one_longrope_set(kept):
    def change(parameters):
        parameters["short_factor"] = parameters["long_factor"] = parameters[f"{kept}_factor"]

    return rebuild_rope(change)


def longrope_over_the_whole_head(parameters):
    parameters["partial_rotary_factor"] = 1.0
    for name in ("short_factor", "long_factor"):
        parameters[name] = [*parameters[name], parameters[name][-1]]


def same_rope_on_every_layer(kind):
    def change(parameters):
        for other in parameters:
            parameters[other] = dict(parameters[kind])

    return rebuild_rope(change)


def rope_features(config, sequence):
    parameters = config.rope_parameters
    found = {"rotary embedding": without_rope, "half-split rotary": interleaved_rope}
    if "full_attention" in parameters:  # gemma3
        full, local = parameters["full_attention"], parameters["sliding_attention"]
        found["rope of full layers on full layers"] = same_rope_on_every_layer("sliding_attention")
        found["rope of window layers on window layers"] = same_rope_on_every_layer("full_attention")
        found["linear rope scaling"] = with_rope(full_attention=default_rope(full["rope_theta"]))
        found["scaling of full layers only"] = with_rope(sliding_attention=full | dict(rope_theta=local["rope_theta"]))
        found["rope_theta"] = with_rope(full_attention=full | dict(rope_theta=local["rope_theta"]))
        found["rope_local_base_freq"] = with_rope(sliding_attention=local | dict(rope_theta=full["rope_theta"]))
        return found
    if parameters["rope_theta"] != 10000.0:
        found["rope_theta"] = with_rope(rope_theta=10000.0)
    kind = parameters["rope_type"]
    if kind != "default":
        found[f"{kind} rope scaling"] = with_rope(rope_type="default")
    if kind in ("yarn", "longrope"):
        found["attention factor"] = without_attention_factor
    if kind == "yarn":
        found["truncate"] = with_rope(truncate=False)
        found["beta_slow 1"] = with_rope(beta_slow=2)
        found["original_max_position_embeddings"] = with_rope(
            original_max_position_embeddings=config.max_position_embeddings
        )
    if kind == "longrope":
        is_long = sequence > config.original_max_position_embeddings
        found["the long factors" if is_long else "the short factors"] = only_one_longrope_set(
            "short" if is_long else "long"
        )
        found["partial rotary"] = rebuild_rope(longrope_over_the_whole_head)
    return found


def default_rope(theta):
    return dict(rope_type="default", rope_theta=theta)


# ---- norms, embedding, MLP ------------------------------------------------------------


def has_unit_offset(model):
    """Gemma stores a norm's weight minus one."""
    return model.config.model_type.startswith("gemma")


def norm_weights(model, norm):
    name = f"{norm}.weight"
    found = [tensor for key, tensor in decoder(model).named_parameters() if f".{key}".endswith(f".{name}")]
    assert found, norm
    return found


def without_norm_weight(norm):
    def switch(model):
        for tensor in norm_weights(model, norm):
            tensor.fill_(0.0 if has_unit_offset(model) else 1.0)

    return switch


def without_unit_offset(norm):
    def switch(model):
        for tensor in norm_weights(model, norm):
            tensor.sub_(1.0)

    return switch


def without_norm(norm):
    def switch(model):
        for layer in layers(model):
            setattr(layer.self_attn if hasattr(layer.self_attn, norm) else layer, norm, nn.Identity())

    return switch


def default_epsilon(model):
    for module in decoder(model).modules():
        for name in ("variance_epsilon", "eps"):
            if hasattr(module, name):
                setattr(module, name, 1e-6)


def without_embedding_scale(model):
    decoder(model).embed_tokens.embed_scale.fill_(1.0)


def with_activation(activation):
    def switch(model):
        for layer in layers(model):
            layer.mlp.act_fn = activation

    return switch


def gelu_form_matters(model):
    """Where the weights are made for it (families.py); a tiny epsilon in the norm behind the MLP would
    blow up the rounding errors of gelu's tail as well."""
    return has_unit_offset(model) and text_config(model).rms_norm_eps > 1e-3


def swapped_gate_and_up(model):
    for layer in layers(model):
        gate, up = layer.mlp.gate_up_proj.weight.chunk(2)
        kept = gate.clone()
        gate.copy_(up)
        up.copy_(kept)


# ---- all of them ----------------------------------------------------------------------


def features(model, sequence):
    """The features this model has, by name."""
    config = text_config(model)
    found = rope_features(config, sequence)
    attention, layer = layers(model)[0].self_attn, layers(model)[0]

    declared = windows(config)
    if any(window is not None and window < sequence for window in declared):
        window = config.sliding_window
        found["sliding window"] = with_windows([None] * len(declared))
        for wrong in (window - 1, window + 1):
            found[f"window {window} ({wrong} instead)"] = with_windows([w and wrong for w in declared])
        if None in declared:
            found["full layers (all windowed)"] = with_windows([window] * len(declared))
            found["which layers (the others windowed)"] = with_windows([None if w else window for w in declared])
    if config.num_key_value_heads < config.num_attention_heads:
        found["head grouping"] = tiled_heads
    for name in ("q_proj", "k_proj", "v_proj"):
        if getattr(getattr(attention, name, None), "bias", None) is not None:
            found[f"{name} bias"] = without_bias(name)
    if hasattr(attention, "qkv_proj"):
        found["q, k, v order"] = swapped_key_and_value
        found["gate, up order"] = swapped_gate_and_up
    if getattr(config, "attn_logit_softcapping", None):
        found["attention soft-cap"] = without_attention_cap
    if getattr(config, "final_logit_softcapping", None):
        found["final soft-cap"] = without_final_cap
    if getattr(config, "query_pre_attn_scalar", None) not in (None, head_dim(config)):
        found["query_pre_attn_scalar"] = scaled_by_head_dim

    norms = ["input_layernorm", "post_attention_layernorm", "norm"]
    norms += [name for name in ("pre_feedforward_layernorm", "post_feedforward_layernorm") if hasattr(layer, name)]
    norms += [name for name in ("q_norm", "k_norm") if hasattr(attention, name)]
    for norm in norms:
        found[f"{norm} weight"] = without_norm_weight(norm)
        if has_unit_offset(model):
            found[f"{norm} 1 + weight"] = without_unit_offset(norm)
            if norm not in ("input_layernorm", "norm"):
                found[norm] = without_norm(norm)
    if config.rms_norm_eps > 1e-3:
        found["rms_norm_eps"] = default_epsilon
    if hasattr(decoder(model).embed_tokens, "embed_scale"):
        found["embedding scale"] = without_embedding_scale
        found["gelu (silu instead)"] = with_activation(nn.SiLU())
    if gelu_form_matters(model):
        found["tanh form of gelu"] = with_activation(nn.GELU())
    return found


@torch.no_grad()
def assert_features_matter(model, input_ids, logits):
    sequence = input_ids.shape[1]
    config = text_config(model)
    # The control of the switches below: our masks, as declared, change nothing.
    same = copy.deepcopy(model)
    with_windows(windows(config))(same)
    assert torch.equal(run(same, input_ids)[1], logits), "our masks are not transformers' masks"
    print(f"  windows {windows(config)}")
    for name, switch_off in features(model, sequence).items():
        broken = copy.deepcopy(model)
        switch_off(broken)
        ratio = difference_in_tolerances(run(broken, input_ids)[1], logits)
        print(f"  without {name}: {ratio:,.0f} x tolerance")
        assert ratio > MUST_BREAK, f"{name} hardly matters ({ratio})"
    everything_visible = torch.zeros(2, 1, sequence, sequence)
    ratio = difference_in_tolerances(run(model, input_ids, attention_mask=everything_visible)[1], logits)
    print(f"  without causal mask: {ratio:,.0f} x tolerance")
    assert ratio > MUST_BREAK, f"the causal mask hardly matters ({ratio})"
