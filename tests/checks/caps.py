#!/usr/bin/env python3
"""No file is longer than a reader can hold: a file past its cap is two ideas."""

from tree import files, report, root

HARD = {".rs": 400, ".lua": 60}
SOFT = {".rs": 300}


def main() -> None:
    base, over = root(), []
    for path in files(base):
        if path.suffix not in HARD:
            continue
        lines = len((base / path).read_bytes().splitlines())
        if lines > HARD[path.suffix]:
            over.append(f"{path}: {lines} lines, the cap is {HARD[path.suffix]}")
        elif lines > SOFT.get(path.suffix, lines):
            print(f"note: {path}: {lines} lines, over the soft cap of {SOFT[path.suffix]}")
    report(over)


main()
