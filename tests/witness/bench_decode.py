"""PyTorch's half of the decoding benchmark: prompt and greedy decoding with a DynamicCache, as
app/examples/bench_decode.rs does it, without the overhead of `generate`. Prints one JSON object.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from bench_step import BASELINE, resident


def main(folder, prompt_tokens, new_tokens, threads):
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype="auto").eval()
    vocabulary = model.config.vocab_size
    prompt = torch.tensor([[(i * 7919 + 13) % vocabulary for i in range(prompt_tokens)]])
    prompt_secs, token_secs = [], []
    with torch.inference_mode():
        for round in range(2):
            cache = DynamicCache(config=model.config)
            start = time.perf_counter()
            logits = model(prompt, past_key_values=cache, logits_to_keep=1).logits
            first = time.perf_counter() - start
            start = time.perf_counter()
            for _ in range(new_tokens):
                token = logits[:, -1:].argmax(-1)
                logits = model(token, past_key_values=cache, logits_to_keep=1).logits
            if round > 0:  # the first round warms up
                prompt_secs.append(first)
                token_secs.append((time.perf_counter() - start) / new_tokens)
    print(json.dumps({"prompt_secs": prompt_secs, "token_secs": token_secs,
                      "peak_bytes": resident("VmHWM") - BASELINE}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]))
