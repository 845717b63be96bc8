"""PEFT loads what our program exports: `goldens/exports/<case>/`, one folder for each case of `lora.py`.

The folders are inputs: our program wrote them (the Rust tests hold them byte for byte against what it
writes today; STEPLADDER_WRITE_EXPORTS=1 makes them anew). Each is put on its backbone with
`PeftModel.from_pretrained`, and the logits must be those that PEFT had with its own adapter of the same
numbers. Then the folders are copied to the output as they are.
"""

import json
import shutil

import torch
from peft import PeftModel
from safetensors.torch import load_file

from backbones import load
from common import DEFAULT_OUTPUT, difference_in_tolerances, parse_output
from lora import NF4_DOUBLE, quantize_blocks


def main():
    output = parse_output(__doc__)
    cases = sorted((DEFAULT_OUTPUT / "exports").iterdir())
    assert len(cases) >= 11
    for folder in cases:
        settings = json.loads((DEFAULT_OUTPUT / "lora" / f"{folder.name}.json").read_text())
        golden = load_file(DEFAULT_OUTPUT / "lora" / f"{folder.name}.safetensors")
        model = load(DEFAULT_OUTPUT / "backbones" / settings["backbone"])
        if settings["quantization"] == NF4_DOUBLE:
            quantize_blocks(model, double=True)
        model = PeftModel.from_pretrained(model, folder).eval()
        with torch.no_grad():
            logits = model(golden["input_ids"]).logits
        apart = difference_in_tolerances(logits, golden["logits"])
        print(f"  {folder.name}: {apart:.3f} x tolerance")
        assert apart < 1.0
    if output != DEFAULT_OUTPUT:
        shutil.copytree(DEFAULT_OUTPUT / "exports", output / "exports", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
