"""The rival of our dataset loading: `datasets` and `transformers`, from file to ids and mask.

    python bench_data.py MODEL DATA [--processes 2]

Prints one line of JSON: seconds, examples, tokens, trained tokens.
"""

import argparse
import json
import resource
import tempfile
import time

from datasets import load_dataset
from transformers import AutoTokenizer

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)

    def encode(row):
        told = tokenizer.apply_chat_template(
            row["messages"], tokenize=True, return_dict=True,
            return_assistant_tokens_mask=True, truncation=True, max_length=1024)
        return {"input_ids": told["input_ids"], "mask": told["assistant_masks"]}

    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        rows = load_dataset("json", data_files=options.data, split="train", cache_dir=cache)
        rows = rows.map(encode, num_proc=options.processes, remove_columns=rows.column_names)
        seconds = time.perf_counter() - start
        tokens = sum(len(row["input_ids"]) for row in rows)
        trained = sum(sum(row["mask"]) for row in rows)
        examples = len(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"load_secs": [seconds], "examples": examples, "tokens": tokens,
                      "trained": trained, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
