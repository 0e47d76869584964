#!/usr/bin/env python3
"""Exports of every target, as the trainers' own code reads them: run by `make check-exports` in a virtual environment.

A server's database is filled with agreed samples, `concord export` writes each target in every layout and format, to
disk and to an S3 server on this machine, and then
- `datasets` loads each file, JSON Lines and Parquet alike, with the same rows;
- TRL's `data_utils` recognises the rows and applies a chat template to them;
- LLaMA-Factory's parser reads `dataset_info.json` and its converters align the rows;
- Axolotl's strategies, found as its loader finds them by what `axolotl.yaml` says, turn rows into prompts or tokens.

PyTorch is not installed (gigabytes), so no trainer is built. What LLaMA-Factory and Axolotl import from modules that need
PyTorch, but use for nothing here (a logger, file names, a type), is given to them below; parser, converters and strategies are theirs.
"""

import contextlib
import glob
import importlib.metadata
import importlib.util
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import types
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/benches"))
from support import CONCORD, Postgres, Server, free_port  # noqa: E402

TARGETS = ["sft_chat", "prompt_completion", "preference", "kto", "reward", "judge"]
CRITERIA = ["relevance", "consistency", "specificity", "validity"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def fill(postgres: Postgres) -> None:
    """Twenty users of the train half, four tags each on one prompt, the last two of which fail."""
    postgres.sql(f"""
        insert into users (key, half) select 'u' || n, 'train' from generate_series(1, 20) n;
        insert into generations (id, seed, settings, model, model_hash, model_family, prompts) values (gen_random_uuid(), 1, '{{}}', 'm', 'h', 'f', 'p');
        insert into generation_users (generation_id, user_id, history, stage, finished_at)
            select g.id, u.id, '{{"lines":[],"as_of":null}}', 'done', now() from generations g, users u;
        insert into calls (id, generation_id, user_id, task, prompt_version, system, prompt, output, seed, prompt_tokens, output_tokens, millis, truncated)
            select gen_random_uuid(), g.id, u.id, 'tag', 'tags/1', 'You write tags.', 'History of ' || u.key || ': “rod”, 鱼竿',
                   json_build_object('tags', (select json_agg(json_build_object('tag', 'tag ' || t)) from generate_series(0, 3) t)), 1, 1, 1, 1, false
            from generations g, users u where u.key like 'u%';
        insert into samples (id, key, task, text, half, user_id, generation_id, call_id, ordinal, rubric_version, serve_order)
            select gen_random_uuid(), c.user_id || 't' || t, 'tag', 'tag ' || t, 'train', c.user_id, c.generation_id, c.id, t,
                   (select version from rubrics where task = 'tag' and current), 0
            from calls c, generate_series(0, 3) t;
        insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, origin)
            select gen_random_uuid(), s.id, 'tag', c, 'r', case when s.ordinal < 2 or c <> 'validity' then 'pass' else 'fail' end,
                   s.ordinal < 2 or c <> 'validity', 'blind', 'learning', 1, s.rubric_version, 'imported'
            from samples s, unnest(array{CRITERIA}) c""")


def export(server: Server, target: str, out: str, folder: str, **environment: str) -> None:
    policy = os.path.join(folder, f"{target}.toml")
    with open(policy, "w", encoding="ascii") as text:
        text.write(f'target = "{target}"\nlayouts = ["trl", "llama_factory", "axolotl"]\nformats = ["jsonl", "parquet"]\nhold_out = 0.2\n')
    subprocess.run([CONCORD, "export", "--policy", policy, "--out", out], env={**server.environment, **environment}, check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


def tokenizer():
    """Bytes as tokens, and ChatML: every text has tokens, and every token is known."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={it: n for n, it in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    return fast


def load(path: str):
    from datasets import load_dataset
    kind = "parquet" if path.endswith(".parquet") else "json"
    return load_dataset(kind, data_files=path, split="train")


def check_datasets(out: str) -> int:
    from datasets import load_dataset
    rows = 0
    with open(os.path.join(out, "manifest.json"), encoding="utf-8") as text:
        named = {it["name"]: it["rows"] for it in json.load(text)["files"] if "rows" in it}
    for path in sorted(glob.glob(f"{out}/*.parquet")):
        columns, lines = load(path), load(path.replace(".parquet", ".jsonl"))
        assert columns.features == lines.features, (path, columns.features, lines.features)
        assert columns.to_list() == lines.to_list(), path
        assert len(columns) == named[os.path.basename(path)] > 0, path
        rows += len(columns)
    card = load_dataset(out)
    assert set(card) == {"train", "test"} and len(card["train"]) == named["train.jsonl"], card
    return rows


def check_trl(target: str, out: str, chat) -> None:
    from trl import data_utils
    data = load(f"{out}/train.parquet")
    for row in data:
        assert data_utils.is_conversational(row), row
        if target == "preference":
            both = [data_utils.unpair_preference_dataset(data.select([0]))[n]["label"] for n in range(2)]
            assert both == [True, False]
        if target == "reward":
            split = data_utils.maybe_extract_prompt(row)
            assert [it["role"] for it in split["prompt"]] == ["system", "user"] and row["margin"] > 0
        told = data_utils.apply_chat_template({name: value for name, value in row.items() if name != "margin"}, chat)
        wanted = {"sft_chat": {"text"}, "preference": {"prompt", "chosen", "rejected"}, "kto": {"prompt", "completion", "label"},
                  "reward": {"chosen", "rejected"}}.get(target, {"prompt", "completion"})
        assert set(told) == wanted, (target, set(told))
        assert all(isinstance(value, bool) or value for value in told.values())


def without_torch() -> None:
    """Packages without their `__init__`, and what their parts import from modules that need PyTorch."""
    roots = {name: importlib.util.find_spec(name).submodule_search_locations[0] for name in ["llamafactory", "axolotl"]}
    for name in ["llamafactory", "llamafactory.data", "llamafactory.extras", "axolotl.utils.schemas"]:
        root, *parts = name.split(".")
        bare = types.ModuleType(name)
        bare.__path__ = [os.path.join(roots[root], *parts)]
        sys.modules[name] = bare

    def given(name: str, **names) -> None:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(names)
    given("llamafactory.extras.constants", DATA_CONFIG="dataset_info.json", RUNNING_LOG="running.log")
    given("llamafactory.extras.misc", use_modelscope=lambda: False, use_openmind=lambda: False)
    given("axolotl.utils.schemas.datasets", DatasetConfig=type("DatasetConfig", (), {}))
    given("axolotl.utils.logging", get_logger=lambda name, **_: logging.getLogger(name))


def check_llama_factory(target: str, out: str) -> None:
    from llamafactory.data import converter, parser
    for name, part in [("concord_train", "train"), ("concord_eval", "eval")]:
        (attr,) = parser.get_dataset_list([name], out)
        assert attr.load_from == "file" and attr.dataset_name == f"llama_factory.{part}.jsonl", attr
        data = load(os.path.join(out, attr.dataset_name))
        arguments = types.SimpleNamespace(streaming=False, preprocessing_num_workers=None, overwrite_cache=True, media_dir="")
        aligned = converter.align_dataset(data, attr, arguments, types.SimpleNamespace(local_process_index=0))
        answers = 2 if target in ("preference", "reward", "kto") else 1
        for row in aligned:
            assert [it["role"] for it in row["_prompt"]] == ["user"], row
            assert len(row["_response"]) == answers and row["_system"], row
            assert any(it["content"] for it in row["_response"]), row


def check_axolotl(target: str, out: str, chat) -> None:
    import yaml
    with open(f"{out}/axolotl.yaml", encoding="utf-8") as text:
        cfg = yaml.safe_load(text)
    cfg["chat_template"] = "tokenizer_default"
    (dataset,) = cfg["datasets"]
    assert len(cfg["test_datasets"]) == 1
    data = load(os.path.join(out, dataset["path"]))

    class Config(dict):
        """As Axolotl's own: missing keys are None, keys are attributes."""
        __getattr__ = dict.get
    cfg = Config(cfg, datasets=[Config(dataset)], sequence_len=4096, train_on_inputs=False)
    if cfg.get("rl") == "kto":
        from axolotl.prompt_strategies.kto import user_defined
        change = user_defined.default(cfg)
        for row in data:
            told = change(dict(row))
            assert told["prompt"].startswith("You write tags.\n\n") and isinstance(told["label"], bool), told
    elif cfg.get("rl") == "dpo":
        assert dataset["type"] == "chat_template.default"
        from axolotl.prompt_strategies.dpo import chat_template
        change = chat_template.default(cfg)
        change = change[0] if isinstance(change, tuple) else change
        for row in data:
            told = change(dict(row), tokenizer=chat)
            assert "You write tags." in told["prompt"] and told["chosen"] != told["rejected"], told
    else:
        module = "bradley_terry" if cfg.get("reward_model") else ""
        name = ".".join(filter(None, ["axolotl.prompt_strategies", module, "chat_template"]))
        strategy = importlib.import_module(name).load(chat, cfg, ds_cfg=Config(dataset))
        for row in data:
            told = strategy.tokenize_prompt(dict(row)) if not module else strategy._tokenize_single_prompt(dict(row))
            if module:
                assert told["chosen_ids"] != told["rejected_ids"]
            else:
                learnt = chat.decode([it for it in told["labels"] if it != -100])
                # Only the answer is learnt, and all of it.
                assert row["messages"][-1]["content"] in learnt and "You write tags." not in learnt, learnt


@contextlib.contextmanager
def object_storage():
    """An S3 server of this machine."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address)
                break
            time.sleep(0.1)
        urllib.request.urlopen(urllib.request.Request(f"{address}/exports", method="PUT"))
        yield address
    finally:
        process.terminate()
        process.wait()


def check_s3(server: Server, folder: str, local: str) -> None:
    import boto3
    with object_storage() as address:
        keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true"}
        export(server, "kto", "s3://exports/a/b", folder, **keys)
        s3 = boto3.client("s3", endpoint_url=address, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
        found = {it["Key"]: s3.get_object(Bucket="exports", Key=it["Key"])["Body"].read() for it in s3.list_objects_v2(Bucket="exports")["Contents"]}
        there = {f"a/b/{path.name}": path.read_bytes() for path in pathlib.Path(local).iterdir()}
        assert found == there, (sorted(found), sorted(there))
        print(f"S3: {len(found)} files, byte for byte those on disk")


def main() -> int:
    postgres = Postgres({})
    server = Server(postgres)
    without_torch()
    chat = tokenizer()
    try:
        with tempfile.TemporaryDirectory() as folder:
            server.command("migrate")
            server.command("account", "add", "lead@example.org", "--role", "lead")
            fill(postgres)
            for target in TARGETS:
                out = os.path.join(folder, target)
                export(server, target, out, folder)
                rows = check_datasets(out)
                check_trl(target, out, chat)
                check_llama_factory(target, out)
                check_axolotl(target, out, chat)
                print(f"{target}: datasets ({rows} rows in both formats and three layouts), TRL, LLaMA-Factory, Axolotl")
            check_s3(server, folder, os.path.join(folder, "kto"))
        names = ["datasets", "trl", "transformers", "llamafactory", "axolotl", "moto"]
        print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names), "; PyTorch is not installed")
        return 0
    finally:
        server.stop()
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
