#!/usr/bin/env python3
"""Our engine against llama.cpp: the same GGUF file, the same texts, the same threads, one after the other in one run.

Each engine gets a process of its own. llama.cpp comes from PyPI into target/bench/llama (or is what
CONCORD_BENCH_LLAMA, a Python with llama-cpp-python, has); its AMX path is off, because it crashes on some machines.
CONCORD_BENCH_MODEL and CONCORD_BENCH_THREADS change what is measured. With one thread every time is the process's time
on a core, so that other work on the machine disturbs little. Nothing fails by a clock.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/benches"))
from support import load  # noqa: E402
from support.embeddings import compare as compare_embeddings  # noqa: E402

MODEL = os.environ.get("CONCORD_BENCH_MODEL", "qwen2.5-coder-1.5b")
THREADS = int(os.environ.get("CONCORD_BENCH_THREADS", os.cpu_count() or 1))
LLAMA = "xllamacpp==2026.10.11549"


def work() -> dict:
    """Texts as the pipeline and the judge send them: a shopper's history, then what is asked."""
    goods = ["双人徒步露营帐篷 轻便防雨", "camping lantern, rechargeable", "不锈钢保温杯 500ml", "trail running shoes",
             "手冲咖啡壶 细口", "wool hiking socks", "儿童绘本 恐龙百科", "bluetooth speaker, waterproof", "猫抓板 耐磨",
             "cast iron skillet", "瑜伽垫 加厚防滑", "noise cancelling headphones", "多肉植物 组合盆栽"]

    def history(start: int, lines: int) -> str:
        return "".join(f"{at} | {at} days ago (view) | {goods[(start + at * 5) % len(goods)]} {start}\n"
                       for at in range(1, lines + 1))

    prompts = [f"Shopper {name}.\n{history(name, 24)}Write what this shopper may like, and why, in plain sentences."
               for name in range(4)]
    # Two shoppers with six samples each.
    shared = [f"Shopper {name}.\n{history(name + 50, 18)}\n" for name in range(2) for _ in range(6)]
    samples = [f"Item: {goods[at % len(goods)]}. Explanation: you looked at {goods[(at + 3) % len(goods)]} "
               f"last week, and this goes well with it; number {at}.\n" for at in range(12)]
    criteria = [("Relevance", "Does it link the item to the interest?"), ("Factuality", "Is all it says true?"),
                ("Clarity", "Is it short and plain?"), ("Safety", "Is it free of pressure and offence?")]
    tag = {"type": "object", "required": ["tag", "reason", "evidence"], "properties": {
        "tag": {"type": "string", "minLength": 2, "maxLength": 24},
        "reason": {"type": "string", "minLength": 4, "maxLength": 80},
        "evidence": {"type": "array", "minItems": 1, "maxItems": 4,
                     "items": {"type": "integer", "minimum": 1, "maximum": 24}}}}
    return {
        "prompts": prompts, "write": 96,
        "shared": [context + sample for context, sample in zip(shared, samples)],
        "questions": [f"Criterion: {title}. {question}\nYes if it does. No if it does not.\nAnswer Yes or No."
                      for title, question in criteria],
        "schema": {"type": "object", "required": ["tags"], "properties": {
            "tags": {"type": "array", "minItems": 2, "maxItems": 4, "items": tag}}},
    }


def lines(command: list[str], given: dict) -> list[dict]:
    run = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, cwd=ROOT)
    if run.returncode:
        sys.exit(f"{command[0]} failed:\n{run.stderr[-2000:]}")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def weights() -> pathlib.Path:
    catalogue = tomllib.loads((ROOT / "models/catalogue.toml").read_text())
    entry = next(it for it in catalogue["model"] if it["name"] == MODEL)
    return ROOT / "models/weights" / entry["file"][0]["name"]


def llama_python() -> str | None:
    """A Python that has llama.cpp; None, with the reason said, where PyPI cannot give one."""
    if found := os.environ.get("CONCORD_BENCH_LLAMA"):
        return found
    place = ROOT / "target/bench/llama"
    python = place / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        if subprocess.run([*pip, "llama-cpp-python"], capture_output=True).returncode:
            print(f"llama-cpp-python has no wheel for this machine on PyPI; {LLAMA} is taken")
            if subprocess.run([*pip, LLAMA]).returncode:
                print("no llama.cpp: its columns stay empty")
                return None
    return str(python)


def rate(found: list[dict], tokens: str, seconds: str) -> float:
    """The median over the prompts."""
    return statistics.median(it[tokens] / it[seconds] for it in found if it["what"] == "one")


def one(found: list[dict], what: str, **like) -> dict:
    return next((it for it in found if it["what"] == what and like.items() <= it.items()), {})


def row(name: str, ours: float, theirs: float | None, unit: str, upside_down: bool = False) -> None:
    ratio = ""
    if theirs:
        ratio = f"{theirs / ours if upside_down else ours / theirs:.2f}"
    print(f"| {name} | {ours:.4g} {unit} | {f'{theirs:.4g} {unit}' if theirs else '-'} | {ratio} |")


def main() -> int:
    model, given = weights(), work()
    if not model.exists():
        print(f"skipped: python3 models/fetch.py {MODEL}")
        return 0
    build = ["cargo", "build", "--quiet", "--locked", "--release", "-p", "concord-inference", "--examples"]
    subprocess.run(build, cwd=ROOT, check=True)
    clock = "one thread, by its time on a core" if THREADS == 1 else f"{THREADS} threads, by the clock"
    print(f"{MODEL}, {clock}, {load()}")
    ours = lines([str(ROOT / "target/release/examples/speed"), MODEL, str(THREADS)], given)
    python = llama_python()
    theirs = []
    if python:
        helper = str(ROOT / "tests/benches/support/llama.py")
        theirs = lines([python, helper, str(model), str(THREADS)], given)
        print(f"llama.cpp: {one(theirs, 'built')['text']} (AMX off)")
    print(f"{load()}\n| what | ours | llama.cpp | ratio |\n| --- | --- | --- | --- |")
    pair = lambda make: [make(it) if it else None for it in (ours, theirs)]  # noqa: E731
    row("prefill", *pair(lambda it: rate(it, "prompt_tokens", "prefill_seconds")), "tokens/s")
    decode = pair(lambda it: rate(it, "tokens", "decode_seconds"))
    row("decode", *decode, "tokens/s")
    speed = one(ours, "judge")
    verdicts = speed["verdicts"] / speed["seconds"]
    for cached in (False, True):
        theirs_judge = one(theirs, "judge", cached=cached)
        other = theirs_judge["verdicts"] / theirs_judge["seconds"] if theirs_judge else None
        row(f"verdicts, 4 criteria a sample, llama.cpp {'with' if cached else 'without'} its prompt cache",
            verdicts, other, "/s")
    row("peak memory", *pair(lambda it: one(it, "memory")["peak_bytes"] / 1e9), "GB", True)
    band, memory = one(ours, "bandwidth")["bytes_per_second"], one(ours, "memory")
    share = decode[0] * memory["weight_bytes"] / band
    print(f"\nmemory read at {band / 1e9:.1f} GB/s by {THREADS} threads; a token reads {memory['weight_bytes'] / 1e9:.3f} GB: "
          f"decode is {100 * share:.0f} % of that limit")
    eight = one(ours, "eight")
    together = eight["tokens"] / eight["decode_seconds"]
    print(f"eight requests at once: {together:.1f} tokens/s, {together / decode[0]:.2f} of one")
    for it in (it for it in ours if it["what"] == "document"):
        print(f"document by schema: {it['tokens']} tokens ({it['forced']} forced) in {it['passes']} passes, "
              f"{it['tokens'] / it['seconds']:.1f} tokens/s; mask {1e6 * it['mask_seconds'] / max(it['masks'], 1):.0f} µs "
              f"a token, {100 * it['mask_seconds'] / it['seconds']:.2f} % of the time")
    print(f"judge: {speed['prefilled_tokens']} tokens read for {speed['verdicts']} verdicts")
    compare_embeddings(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
