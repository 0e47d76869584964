#!/usr/bin/env bash
# Loads exports with the code of datasets, TRL, LLaMA-Factory and Axolotl, in a virtual environment of its own, and an
# adapter with PEFT in another. PyTorch and what needs it are left out of the first: with it the environment is some 6 GB,
# without 0.7.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/check-exports
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'datasets==5.2.0' 'transformers==5.24.0' 'moto[server,s3]==5.*' boto3 addict colorama pydantic pyyaml jinja2 markupsafe
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps 'trl==1.16.0' 'llamafactory==0.9.5' 'axolotl==0.19.0' 'accelerate==1.15.0' psutil
    touch "$venv/ready"
fi
HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="$PWD/$venv/cache" TRANSFORMERS_VERBOSITY=error "$venv/bin/python" tests/exports/check.py

# An adapter needs PyTorch to be loaded. Debian has one for processors alone (python3-torch, 1.13); PyPI's brings gigabytes.
python=''
for it in python3 /usr/bin/python3; do
    if "$it" -c 'import torch' 2>/dev/null; then python=$it; break; fi
done
if [ -z "$python" ]; then
    echo 'no PyTorch here, so no adapter was loaded with PEFT: apt-get install --no-install-recommends python3-torch'
    exit 0
fi
venv=target/check-adapter
if [ ! -e "$venv/ready" ]; then
    "$python" -m venv --system-site-packages "$venv"
    # PEFT names PyTorch, and Debian's calls itself older than it is: PyPI's would come with it.
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'transformers==4.36.2' 'numpy<2' safetensors psutil pyyaml tqdm
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps 'peft==0.7.1' 'accelerate==0.25.0'
    touch "$venv/ready"
fi
cargo build --quiet --locked --workspace --example adapter
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$venv/bin/python" tests/exports/adapter.py
