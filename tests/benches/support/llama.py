"""llama.cpp on the bench's work, in a process of its own: prints what examples/speed.rs prints.

    python llama.py MODEL.gguf THREADS < work.json

Uses `llama_cpp` (llama-cpp-python, built from source with all this machine's instructions but AMX) where it is
installed, else `xllamacpp` (a wheel, built for AVX2). Both are llama.cpp.
"""

import json
import sys
import time

SYSTEM = "You are a helpful assistant."
JUDGE = "You are a judge. Answer Yes or No."


def chat(system: str, user: str) -> str:
    return (f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
            "<|im_start|>assistant\n")


def say(what: str, **values) -> None:
    print(json.dumps({"what": what, **values}), flush=True)


def peak() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


class Native:
    """llama-cpp-python."""

    def __init__(self, model: str, threads: int):
        import llama_cpp
        self.llm = llama_cpp.Llama(model_path=model, n_ctx=4096, n_threads=threads, n_threads_batch=threads,
                                   n_batch=512, n_ubatch=512, logits_all=False, verbose=False)
        system = llama_cpp.llama_print_system_info().decode()
        self.built = f"llama-cpp-python {llama_cpp.__version__}, built here: {system}"

    def tokens(self, text: str) -> list[int]:
        return self.llm.tokenize(text.encode(), add_bos=False, special=True)

    def read(self, text: str, cached: bool) -> int:
        """Reads a prompt, what it has in common with the last one only without `cached`."""
        tokens = self.tokens(text)
        known = 0
        if cached:
            last = self.llm._input_ids.tolist()
            while known < min(len(last), len(tokens) - 1) and last[known] == tokens[known]:
                known += 1
        self.llm.n_tokens = known
        # As Llama.generate does before it goes on from a shorter prefix.
        self.llm._ctx.kv_cache_seq_rm(-1, known, -1)
        self.llm.eval(tokens[known:])
        return len(tokens)

    def write(self, count: int) -> int:
        for _ in range(count):
            self.llm.eval([self.llm.sample(temp=0.0)])
        return count


class Wheel:
    """xllamacpp's server, asked in process."""

    def __init__(self, model: str, threads: int):
        import xllamacpp
        params = xllamacpp.CommonParams()
        params.model.path = model
        params.n_ctx = 4096
        params.n_parallel = 1
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_gpu_layers = 0
        self.server = xllamacpp.Server(params)
        self.built = f"wheel xllamacpp {xllamacpp.__version__}: {xllamacpp.get_system_info().strip()}"

    def ask(self, text: str, cached: bool, count: int) -> dict:
        answer = self.server.handle_completions({
            "prompt": text, "max_tokens": count, "cache_prompt": cached, "temperature": 0, "ignore_eos": True,
        })
        return json.loads(answer) if isinstance(answer, (str, bytes)) else answer

    def read(self, text: str, cached: bool) -> int:
        self.last = text
        timings = self.ask(text, cached, 1)["timings"]
        return timings["prompt_n"]

    def write(self, count: int) -> int:
        return self.ask(self.last, True, count)["timings"]["predicted_n"]


def main() -> None:
    model, threads = sys.argv[1], int(sys.argv[2])
    # As in examples/clock: one thread by its time on a core, more by the clock.
    now = time.process_time if threads == 1 else time.monotonic
    work = json.load(sys.stdin)
    try:
        import llama_cpp  # noqa: F401
        engine = Native(model, threads)
    except ImportError:
        engine = Wheel(model, threads)
    say("built", text=engine.built)
    engine.read(chat(SYSTEM, "Warm up."), False)
    for prompt in work["prompts"]:
        started = now()
        tokens = engine.read(chat(SYSTEM, prompt), False)
        read = now()
        wrote = engine.write(work["write"])
        say("one", prompt_tokens=tokens, prefill_seconds=read - started, tokens=wrote,
            decode_seconds=now() - read)
    for cached in (False, True):
        started, verdicts = now(), 0
        for shared in work["shared"]:
            for question in work["questions"]:
                engine.read(chat(JUDGE, shared + question), cached)
                verdicts += 1
        say("judge", cached=cached, verdicts=verdicts, seconds=now() - started)
    say("memory", peak_bytes=peak())


if __name__ == "__main__":
    main()
