"""Reads which paths a Rust file names, without test code: enough of the grammar for `imports.py`."""

import re
from dataclasses import dataclass, field
from itertools import takewhile

TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<block>/\*)
  | (?P<raw>(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes))
  | (?P<string>[bc]?"(?:\\.|[^"\\])*")
  | (?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^\\'])')
  | (?P<lifetime>'\w+)
  | (?P<ident>(?:r\#)?[A-Za-z_]\w*)
  | (?P<sep>::)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
ITEMS = {"pub", "fn", "mod", "use", "impl", "struct", "enum", "const", "static", "type", "trait", "async", "let"}
OPEN, CLOSE = set("([{"), set(")]}")


@dataclass
class Token:
    kind: str
    text: str
    line: int


@dataclass
class Named:
    """One path as it is written, the inline modules it is written in, and its line."""

    path: tuple[str, ...]
    inside: tuple[str, ...]
    line: int


@dataclass
class Source:
    """What a file names, and which of its child modules are test code."""

    paths: list[Named] = field(default_factory=list)
    test_modules: set[tuple[str, ...]] = field(default_factory=set)
    all_test: bool = False


def tokens(text: str) -> list[Token]:
    found, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, "every character is a token"
        end = match.end()
        if match.lastgroup == "block" or match.group("block"):
            end = end_of_comment(text, at)
        elif not match.group("space"):
            kind = next(k for k, v in match.groupdict().items() if v is not None and k != "hashes")
            found.append(Token(kind, match.group().removeprefix("r#"), line))
        line += text.count("\n", at, end)
        at = end
    return found


def end_of_comment(text: str, at: int) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def closing(toks: list[Token], at: int) -> int:
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for n in range(at, len(toks)):
        depth += (toks[n].text in OPEN and toks[n].kind == "other") - (
            toks[n].text in CLOSE and toks[n].kind == "other")
        if depth == 0:
            return n
    return len(toks) - 1


def is_test_cfg(attribute: list[Token]) -> bool:
    text = "".join(token.text for token in attribute)
    return text == "cfg(test)" or text.startswith("cfg(all(test,")


def end_of_item(toks: list[Token], at: int) -> int:
    """The index behind the item that starts at `at`: past its `;`, its block, or its comma in a list."""
    head = list(takewhile(lambda t: t.text in ITEMS or t.text in {"crate", "(", ")"}, toks[at:at + 6]))
    is_use = any(token.text == "use" for token in head)
    n = at
    while n < len(toks):
        text, punctuation = toks[n].text, toks[n].kind == "other"
        if punctuation and text in OPEN:
            n = closing(toks, n)
            if text == "{" and not is_use:
                return n + 1
        elif punctuation and text == ";":
            return n + 1
        elif punctuation and (text in CLOSE or (text == "," and not head)):
            return n
        n += 1
    return n


def use_tree(toks: list[Token], at: int, prefix: tuple[str, ...]) -> tuple[list[tuple[tuple[str, ...], int]], int]:
    """The full paths of a use tree, and the index behind it."""
    found, path, line = [], prefix, toks[at].line if at < len(toks) else 0
    while at < len(toks):
        token = toks[at]
        if token.text == "{":
            at += 1
            while at < len(toks) and toks[at].text != "}":
                inner, at = use_tree(toks, at, path)
                found += inner
                at += toks[at].text == "," if at < len(toks) else 0
            return found, at + 1
        if token.text in {",", "}", ";"}:
            break
        if token.text == "as":
            at += 2
            continue
        if token.kind == "ident" or token.text == "*":
            path = (*path, token.text)
        at += 1
    return [(path, line)], at


def read(text: str) -> Source:
    toks, source, at = tokens(text), Source(), 0
    inside: list[tuple[str, int]] = []  # inline modules and where each ends
    while at < len(toks):
        while inside and at >= inside[-1][1]:
            inside.pop()
        here = tuple(name for name, _ in inside)
        token = toks[at]
        if token.text == "#" and token.kind == "other":
            inner = at + 1 < len(toks) and toks[at + 1].text == "!"
            start = at + 1 + inner
            if start < len(toks) and toks[start].text == "[":
                end = closing(toks, start)
                at = end + 1
                if is_test_cfg(toks[start + 1:end]):
                    if inner and not inside:
                        source.all_test = True
                        return source
                    at = skip_test_item(toks, at, here, source)
                continue
        if token.kind != "ident":
            at += 1
        elif token.text == "mod" and at + 2 < len(toks) and toks[at + 2].text == "{":
            inside.append((toks[at + 1].text, closing(toks, at + 2)))
            at += 3
        elif token.text == "use" and at + 1 < len(toks) and toks[at + 1].text != "<":
            found, at = use_tree(toks, at + 1, ())
            source.paths += [Named(path, here, line) for path, line in found]
        else:
            at = inline_path(toks, at, here, source)
    return source


def skip_test_item(toks: list[Token], at: int, here: tuple[str, ...], source: Source) -> int:
    while at + 1 < len(toks) and toks[at].text == "#" and toks[at + 1].text == "[":
        at = closing(toks, at + 1) + 1
    end = end_of_item(toks, at)
    texts = [token.text for token in toks[at:end]]
    if "mod" in texts[:5] and texts[-1:] == [";"]:
        source.test_modules.add((*here, texts[-2]))
    return end


def inline_path(toks: list[Token], at: int, here: tuple[str, ...], source: Source) -> int:
    start, path = at, [toks[at].text]
    while at + 2 < len(toks) and toks[at + 1].kind == "sep" and toks[at + 2].kind == "ident":
        at += 2
        path.append(toks[at].text)
    # `::name` behind a type, or `.name` behind a value, is no path of its own.
    if start == 0 or not (toks[start - 1].kind == "sep" or toks[start - 1].text == "."):
        source.paths.append(Named(tuple(path), here, toks[start].line))
    elif path == ["await"]:
        source.paths.append(Named(("await",), here, toks[start].line))
    return at + 1
