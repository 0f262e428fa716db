#!/usr/bin/env python3
"""Every Redis script is named verb_noun and says in its first comment what goes in and what comes out, and so it is.

A header numbers what it describes, `-- KEYS 1 action, 2 data`, and may end in what comes repeatedly, as
`; then per action: id, token` or `, 3… action records`. What a script is given for another's sake is `(not used)`.
"""

import re
from itertools import takewhile
from pathlib import Path

from tree import files, report, root

SCRIPTS = Path("manager-svc/src/store/scripts")
ARRAYS = ("KEYS", "ARGV")
HEADINGS = ("-- KEYS", "-- ARGV", "-- Returns")
# A number that begins an item of a heading, and whether the item stands for all that follow.
ITEM = re.compile(r"(?:^|[,;])\s*(\d+)(…?)\s+([^,;]*)")
# What begins the items that come repeatedly.
REPEATED = re.compile(r"(?:^|;)\s*(?:then\b|per\b)(?:[^:;]*:)?([^;]*)")


def literals(array: str, text: str) -> set[int]:
    """The places of an array that code names by a number."""
    code = re.sub(r"--.*", "", text)
    return {int(number) for number in re.findall(rf"\b{array}\[\s*(\d+)\s*\]", code)}


def items_of(path: Path, array: str, described: str, body: str) -> list[str]:
    """Compares what a heading describes with what the body uses."""
    described = re.sub(r"\((?!not used\))[^)]*\)", "", described).strip()
    items = [(int(number), bool(more), what) for number, more, what in ITEM.findall(described)]
    numbers = [number for number, _, _ in items]
    if numbers != list(range(1, len(numbers) + 1)):
        return [f"{path}: the header numbers {array} {numbers}, not one by one from 1"]
    used, last, endless = literals(array, body), len(numbers), any(more for _, more, _ in items)
    repeated = REPEATED.search(described)
    # The first of what comes repeatedly has its place too.
    most = last + (repeated[1].count(",") + 1 if repeated else 0)
    found = [f"{path}: {array}[{number}] is not in the header" for number in sorted(used) if number > most and not endless]
    for number, more, what in items:
        if number not in used and not more and "(not used)" not in what:
            found.append(f"{path}: the header's {array} {number} is not used")
    return found


def problems_of(path: Path, text: str) -> list[str]:
    found, lines = [], text.splitlines()
    # Redis looks at the memory limit before a script with this line even starts: it could never make room.
    found += [f"{path}:{n}: a `#!lua` line" for n, line in enumerate(lines, 1) if line.startswith("#!")]
    if path.parent != SCRIPTS:
        # What several scripts share gets its keys from each: no place is the same in all of them.
        found += [f"{path}: {array}[{number}] in a library" for array in ARRAYS for number in sorted(literals(array, text))]
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
    elif None not in places:
        body = "\n".join(lines[len(header):])
        for array, first, end in zip(ARRAYS, places, places[1:]):
            described = " ".join(line.removeprefix("--").strip() for line in header[first:end])
            found += items_of(path, array, described.removeprefix(array), body)
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
