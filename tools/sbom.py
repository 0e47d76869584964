#!/usr/bin/env python3
"""The program's bill of materials as CycloneDX 1.5 JSON: every crate that is linked into `concord`, by the lock file, with
its licence, its source and its checksum, and every model of the catalogue with the hashes of its weights.

    python3 tools/sbom.py [FILE]        (default target/concord.cdx.json)
"""

import json
import pathlib
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent


def linked(metadata: dict) -> set[str]:
    """Ids of the packages that the binary is built from; dev dependencies and the tests are not."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    todo = [package["id"] for package in metadata["packages"] if package["name"] == "concord-server"]
    seen = set()
    while todo:
        it = todo.pop()
        if it in seen:
            continue
        seen.add(it)
        for dep in nodes[it]["deps"]:
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    return seen


def crate(package: dict, checksums: dict) -> dict:
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    it = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl}
    if package.get("license"):
        it["licenses"] = [{"expression": package["license"].replace(" / ", " OR ").replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        it["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return it


def weights(name: str, entry: dict) -> dict:
    hashes = [file["sha256"] for file in entry.get("file", [])]
    it = {"type": "machine-learning-model", "bom-ref": f"model:{name}", "name": name}
    it["hashes"] = [{"alg": "SHA-256", "content": content} for content in hashes]
    it["licenses"] = [{"license": {"name": entry["upstream_licence"]}}]
    return it


def main() -> int:
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/concord.cdx.json")
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"],
        check=True, capture_output=True, cwd=ROOT).stdout)
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in tomllib.loads(lock)["package"]}
    ids = linked(metadata)
    packages = sorted((it for it in metadata["packages"] if it["id"] in ids), key=lambda it: (it["name"], it["version"]))
    catalogue = tomllib.loads((ROOT / "models/catalogue.toml").read_text(encoding="utf-8"))
    models = next((it for it in catalogue.values() if isinstance(it, list)), [])
    root = next(it for it in packages if it["name"] == "concord-server")
    refs = {it["id"]: f"pkg:cargo/{it['name']}@{it['version']}" for it in packages}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    bom = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        # The same lock file gives the same document.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, lock)}",
        "metadata": {"component": {"type": "application", "bom-ref": "concord", "name": "concord", "version": root["version"],
                                   "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": [crate(it, checksums) for it in packages] + [weights(it["name"], it) for it in models],
        "dependencies": [{"ref": refs[it["id"]], "dependsOn": sorted(refs[dep] for dep in nodes[it["id"]]["dependencies"] if dep in refs)}
                         for it in packages],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    print(f"{out}: {len(packages)} crates, {len(models)} models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
