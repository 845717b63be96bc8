"""LoRA adapters as PEFT itself saves them, `peft/<name>/`: Stepladder must load folders made elsewhere.

`adapter_config.json` and `adapter_model.safetensors` are what `save_pretrained` writes (without its
README.md, and with the base model named by its folder's name alone); `golden.safetensors` holds

    input_ids  i64 [2, seq]
    logits     f32 [2, seq, vocab]

of the backbone of that name with the adapter, computed after PEFT has loaded the folder again.
A and B are random, as in lora.py.
"""

import json
import shutil

import torch
from peft import PeftModel
from safetensors.torch import load_file

from backbones import load
from common import MUST_BREAK, difference_in_tolerances, integers, parse_output, save
from lora import FUSED, SEQ, SPLIT, add_lora, lora_parameters, randomize

# name = backbone; alpha is neither the rank nor PEFT's default of 8
ADAPTERS = {
    "llama3": dict(rank=4, alpha=12, target_modules=SPLIT, use_rslora=True),
    "phi3": dict(rank=4, alpha=6, target_modules=FUSED, use_rslora=False),
}


def save_adapter(model, folder, name):
    """Writes the folder, and again without what differs from one machine or run to the next."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = name
    config["target_modules"] = sorted(config["target_modules"])  # a set: in another order each time
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "adapter_model.safetensors").chmod(0o644)


@torch.no_grad()
def make(name, output, rank, alpha, target_modules, use_rslora):
    backbone = output / "backbones" / name
    folder = output / "peft" / name
    base = load(backbone)
    input_ids = integers(f"peft/{name}/input_ids", 2, SEQ, high=base.config.vocab_size)
    base_logits = base(input_ids=input_ids, use_cache=False).logits

    model = add_lora(base, rank, target_modules, use_rslora, alpha)
    randomize(model, f"peft/{name}", alpha / (rank**0.5 if use_rslora else rank), {})
    logits = model(input_ids=input_ids, use_cache=False).logits
    save_adapter(model, folder, name)

    tensors = load_file(folder / "adapter_model.safetensors")
    assert len(tensors) == len(lora_parameters(model)) and all(t.dtype == torch.float32 for t in tensors.values())
    again = PeftModel.from_pretrained(load(backbone), folder).eval()
    assert torch.equal(again(input_ids=input_ids, use_cache=False).logits, logits), "what is saved must be what ran"
    ratio = difference_in_tolerances(base_logits, logits)
    print(f"{name}: without the adapter: {ratio:,.0f} x tolerance; logits std {logits.std():.2f}")
    assert ratio > MUST_BREAK
    save(folder / "golden.safetensors", {"input_ids": input_ids, "logits": logits})


def main():
    output = parse_output(__doc__.splitlines()[0])
    for name, settings in ADAPTERS.items():
        make(name, output, **settings)


if __name__ == "__main__":
    main()
