#!/usr/bin/env python3
"""An adapter that was trained here, loaded by PEFT on a tiny Llama of transformers: the logits are ours.

Run by `tools/check-exports.sh` with a PyTorch for processors (Debian's `python3-torch`; PyPI's wheels for this platform bring
gigabytes for graphics cards), in an environment of its own: that PyTorch wants older transformers than the trainers do.
"""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(folder: pathlib.Path, top_layers: int) -> None:
    program = ROOT / "target/debug/examples/adapter"
    subprocess.run([program, folder, str(top_layers)], check=True, cwd=ROOT)
    said = json.loads((folder / "logits.json").read_text())
    model = LlamaForCausalLM(AutoConfig.from_pretrained(folder)).eval()
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
    model.tie_weights()
    tokens = torch.tensor([said["tokens"]])
    with torch.no_grad():
        before = model(tokens).logits[0]
        peft = PeftModel.from_pretrained(model, folder / "adapter").eval()
        after = peft(tokens).logits[0]
        merged = peft.merge_and_unload()(tokens).logits[0]
    far = lambda ours, theirs: (torch.tensor(ours) - theirs).abs().max().item()  # noqa: E731
    assert far(said["before"], before) < 1e-4, ("without the adapter", far(said["before"], before))
    assert far(said["logits"], after) < 1e-4, ("with the adapter", far(said["logits"], after))
    assert far(said["logits"], merged) < 1e-4, ("merged", far(said["logits"], merged))
    assert far(said["before"], after) > 0.1, "the adapter changes nothing"
    trained = sorted(name for name, _ in peft.named_parameters() if "lora_" in name) or "merged"
    layers = "all layers" if top_layers == 0 else f"the topmost {top_layers}"
    print(f"adapter of {layers}: PEFT's logits differ from ours by {far(said['logits'], after):.1e} at most ({trained if trained == 'merged' else len(trained)})")


def main() -> None:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ["peft", "transformers"])
    print(f"torch {torch.__version__}, {versions}")
    with tempfile.TemporaryDirectory() as folder:
        for top_layers in [0, 1]:
            check(pathlib.Path(folder) / str(top_layers), top_layers)


if __name__ == "__main__":
    sys.exit(main())
