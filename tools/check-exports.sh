#!/usr/bin/env bash
# Loads exports with the code of datasets, TRL, LLaMA-Factory and Axolotl, in a virtual environment of its own. PyTorch and
# what needs it are left out: with it the environment is some 6 GB, without 0.7.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/check-exports
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'datasets==5.2.0' 'transformers==5.24.0' 'moto[server,s3]==5.*' boto3 addict colorama pydantic pyyaml jinja2 markupsafe
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps 'trl==1.16.0' 'llamafactory==0.9.5' 'axolotl==0.19.0' 'accelerate==1.15.0' psutil
    touch "$venv/ready"
fi
exec env HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="$PWD/$venv/cache" TRANSFORMERS_VERBOSITY=error "$venv/bin/python" tests/exports/check.py
