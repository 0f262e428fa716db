#!/usr/bin/env python3
"""Builds every function and zips it as Lambda wants it: target/lambda/NAME.zip, each with one file, `bootstrap`.
The zips of another profile than `function` are for trying out, and go to target/lambda/PROFILE/.

By environment:
  ARCH      x86_64 (default) or arm64
  PROFILE   the Cargo profile: `function` (default, small and slow to build) or another, as `local` (soon built)
  ZIGBUILD  1 builds with cargo-zigbuild against Lambda's own glibc, on a machine whose glibc is newer, or for the
            other processor (`pip install cargo-zigbuild`, which brings the compiler along)

The zips of the same sources, compiler and settings are the same byte by byte.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# What Amazon Linux 2023 has. A program that needs a newer symbol never starts there.
GLIBC = (2, 34)
# A larger one starts too slowly; only the profile that is made for it is held to it.
MAX_ZIP_BYTES, SMALL_PROFILE = 5_000_000, "function"


def die(message: str) -> None:
    sys.exit(f"package: {message}")


def build(arch: str, profile: str) -> Path:
    """Builds the functions; answers where the programs are."""
    triple = TRIPLES[arch]
    host = output("rustc", "-vV").split("host: ")[1].split()[0]
    command = ["cargo", "build"]
    if os.environ.get("ZIGBUILD") == "1":
        if not shutil.which("cargo-zigbuild"):
            die("ZIGBUILD=1 needs cargo-zigbuild: pip install cargo-zigbuild")
        command = ["cargo", "zigbuild", "--target", f"{triple}.{GLIBC[0]}.{GLIBC[1]}"]
    elif triple != host:
        command += ["--target", triple]
    crossed = triple if len(command) > 2 else ""
    if crossed and not Path(output("rustc", "--print", "target-libdir", "--target", triple)).is_dir():
        die(f"Rust for {triple} is missing. Install it with: rustup target add {triple}")
    command += ["--locked", "--profile", profile, "--package", "functions", "--bins", "--features", "aws"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        hint = "; from another system, ZIGBUILD=1 brings the C compiler and linker" if crossed else ""
        die(f"the build failed{hint}")
    return target() / crossed / ("debug" if profile == "dev" else profile)


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def metadata() -> dict:
    return json.loads(output("cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"))


def target() -> Path:
    return Path(metadata()["target_directory"])


def names() -> list[str]:
    package = next(package for package in metadata()["packages"] if package["name"] == "functions")
    return sorted(t["name"] for t in package["targets"] if "bin" in t["kind"])


def glibc_needed(program: bytes) -> list[tuple[int, ...]]:
    """The versions of glibc whose symbols a 64-bit ELF file needs: section .gnu.version_r."""
    if program[:6] != b"\x7fELF\x02\x01":
        die("the program is not a 64-bit ELF file")
    (offset,) = struct.unpack_from("<Q", program, 0x28)
    size, count = struct.unpack_from("<HH", program, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", program, offset + i * size) for i in range(count)]
    found = []
    for section in sections:
        if section[1] != 0x6FFFFFFE:  # SHT_GNU_verneed
            continue
        strings = sections[section[6]][4]
        need = section[4]
        for _ in range(section[7]):
            _, entries, _, first, following = struct.unpack_from("<HHIII", program, need)
            entry = need + first
            for _ in range(entries):
                _, _, _, name, then = struct.unpack_from("<IHHII", program, entry)
                begin = strings + name
                text = program[begin:program.index(b"\0", begin)].decode()
                number = text.removeprefix("GLIBC_")
                if number != text and number[0].isdigit():
                    found.append(tuple(int(part) for part in number.split(".")))
                entry += then
            need += following
    return found


def pack(program: Path, path: Path) -> int:
    """One zip; answers its size."""
    bootstrap = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    bootstrap.create_system = 3  # Unix, so that the mode counts
    bootstrap.external_attr = 0o100755 << 16
    bootstrap.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", compresslevel=9) as file:
        file.writestr(bootstrap, program.read_bytes(), compresslevel=9)
    return path.stat().st_size


def main() -> None:
    arch, profile = os.environ.get("ARCH", "x86_64"), os.environ.get("PROFILE", SMALL_PROFILE)
    if arch not in TRIPLES:
        die(f"ARCH={arch} is not a processor of Lambda: {' or '.join(TRIPLES)}")
    built, problems = build(arch, profile), []
    out = target() / "lambda" / ("" if profile == SMALL_PROFILE else profile)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.zip"):
        old.unlink()
    for name in names():
        program = built / name
        newest = max(glibc_needed(program.read_bytes()), default=(0,))
        if newest > GLIBC:
            problems.append(f"{name} needs glibc {'.'.join(map(str, newest))}, and Lambda has {GLIBC[0]}.{GLIBC[1]}: "
                            "build with ZIGBUILD=1, or on an older system")
        size = pack(program, out / f"{name}.zip")
        if profile == SMALL_PROFILE and size > MAX_ZIP_BYTES:
            problems.append(f"{name}.zip has {size} bytes: at most {MAX_ZIP_BYTES} are right")
        print(f"{size / 1e6:6.2f} MB  {out / name}.zip  ({program.stat().st_size / 1e6:.2f} MB, {arch}, {profile})")
    if problems:
        for old in out.glob("*.zip"):
            old.unlink()
        die("\n".join(problems))


main()
