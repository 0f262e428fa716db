#!/usr/bin/env python3
"""Every Redis script is named verb_noun and says in its first comment what goes in and what comes out."""

import re
from itertools import takewhile
from pathlib import Path

from tree import files, report, root

SCRIPTS = Path("manager-svc/src/store/scripts")
HEADINGS = ("-- KEYS", "-- ARGV", "-- Returns")


def problems_of(path: Path, text: str) -> list[str]:
    found, lines = [], text.splitlines()
    # Redis looks at the memory limit before a script with this line even starts: it could never make room.
    found += [f"{path}:{n}: a `#!lua` line" for n, line in enumerate(lines, 1) if line.startswith("#!")]
    if path.parent != SCRIPTS:
        return found
    if not re.fullmatch(r"[a-z]+(_[a-z]+)+", path.stem):
        found.append(f"{path}: the name is not verb_noun")
    header = list(takewhile(lambda line: line.startswith("--"), lines))
    places = [next((n for n, line in enumerate(header) if re.match(re.escape(h) + r"\b", line)), None)
              for h in HEADINGS]
    for heading, place in zip(HEADINGS, places):
        if place is None:
            found.append(f"{path}: the header has no `{heading}` line")
    if None not in places and places != sorted(places):
        found.append(f"{path}: the header's order is {', '.join(HEADINGS)}")
    return found


def main() -> None:
    base, found = root(), []
    for path in files(base):
        if path.suffix != ".lua":
            continue
        if SCRIPTS not in path.parents:
            found.append(f"{path}: Redis scripts live in {SCRIPTS}")
        found += problems_of(path, (base / path).read_text())
    report(found)


main()
