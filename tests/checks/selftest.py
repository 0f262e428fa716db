#!/usr/bin/env python3
"""Each check finds each kind of fault: a small tree that passes, and one fault at a time put into it."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECKS = Path(__file__).resolve().parent
MANIFEST = """[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
[dependencies]
{dependencies}
[dev-dependencies]
{dev}
"""
# Where each crate of the small tree is, and what it depends on.
CRATES = {
    "manager-svc/wire": ("baton-wire", {}),
    "manager-svc": ("manager-svc", {"baton-wire": "wire"}),
    "functions": ("functions", {"manager-svc": "../manager-svc"}),
    "tests": ("baton-tests", {"baton-wire": "../manager-svc/wire"}),
}
SRC = "manager-svc/src"
SCRIPTS = f"{SRC}/store/scripts"
SCRIPT = "-- Ends it.\n-- KEYS 1 action\n-- ARGV none\n-- Returns 1\nreturn redis.call('DEL', KEYS[1])\n"
# Test code and everything that is not code may say what it likes.
ALLOWED = """//! Names `crate::store` in a comment. /* and /* in */ another */
use crate::domain::{id, job::Job};
const TEXT: &str = "use crate::store; redis::cmd";
const RAW: &str = r#"crate::egress " "#;
const QUOTE: char = '"';
#[cfg(test)]
use crate::{store, egress};
#[cfg(test)]
mod tests {
    use redis::cmd;
    use http::StatusCode;
}
#[cfg(test)]
mod kit;
"""


def write(base: Path, path: str, text: str) -> None:
    (base / path).parent.mkdir(parents=True, exist_ok=True)
    (base / path).write_text(text)


def manifest(name: str, dependencies: dict[str, str], dev: dict[str, str] | None = None) -> str:
    lines = ["\n".join(f'{n} = {{ path = "{p}" }}' for n, p in (d or {}).items()) for d in (dependencies, dev)]
    return MANIFEST.format(name=name, dependencies=lines[0], dev=lines[1])


class Faults(unittest.TestCase):
    def setUp(self) -> None:
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.base = Path(kept.name).resolve()
        members = ", ".join(f'"{path}"' for path in CRATES)
        write(self.base, "Cargo.toml", f'[workspace]\nresolver = "3"\nmembers = [{members}]\n')
        for path, (name, dependencies) in CRATES.items():
            write(self.base, f"{path}/Cargo.toml", manifest(name, dependencies))
            write(self.base, f"{path}/src/lib.rs", "//! Small.\n")
        for module in ("router", "handlers", "tick", "store", "egress", "error"):
            write(self.base, f"{SRC}/{module}.rs", f"//! {module}.\n")
        write(self.base, f"{SRC}/domain/mod.rs", ALLOWED)
        write(self.base, f"{SRC}/domain/kit.rs", "use crate::store;\nuse tokio::net;\n")
        write(self.base, f"{SCRIPTS}/end_action.lua", SCRIPT)
        write(self.base, f"{SCRIPTS}/lib/clock.lua", "local function clock() end\n")

    def run_check(self, check: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, CHECKS / check, self.base], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def finds(self, check: str, what: str) -> None:
        code, out = self.run_check(check)
        self.assertIn(what, out)
        self.assertEqual(code, 1, out)

    def source(self, path: str, text: str, what: str) -> None:
        with self.subTest(path=path, text=text):
            before = (self.base / path).read_text() if (self.base / path).exists() else None
            write(self.base, path, text)
            self.finds("imports.py", what)
            (self.base / path).unlink() if before is None else write(self.base, path, before)

    def test_a_tree_without_faults_passes(self) -> None:
        for check in ("imports.py", "caps.py", "scripts.py", "words.py"):
            self.assertEqual(self.run_check(check), (0, ""), check)

    def test_a_forbidden_module_is_found_however_it_is_named(self) -> None:
        found = "router must not use store"
        for text in (
            "use crate::store;",
            "use crate::{error, store::{self, Store}};",
            "use super::store as s;",
            "fn f() { crate::store::open() }",
            "mod a { use super::super::store; }",
            "#[cfg(test)]\nfn only_in_tests() {}\nuse crate::store;",
            "#[cfg(not(test))]\nuse crate::store;",
            "fn f<'a>(c: char) -> bool { c == '\"' && crate::store::open() }",
        ):
            self.source(f"{SRC}/router.rs", text, found)

    def test_each_layer_keeps_its_place(self) -> None:
        for path, text, what in (
            ("egress.rs", "use crate::handlers;", "egress must not use handlers"),
            ("domain/id.rs", "use crate::store;", "domain must not use store"),
            ("domain/id.rs", "use super::super::egress;", "domain must not use egress"),
            ("domain/id.rs", "use baton_wire::ActionIn;", "domain must not use wire"),
            ("store/keys.rs", "use crate::egress;", "store must not use egress"),
            ("store/keys.rs", "use baton_wire::ActionIn;", "store must not use wire"),
            ("bin/baton.rs", "use manager_svc::store;", "bin must not use store"),
            ("router.rs", "use crate::Everything;", "name the module"),
            ("router.rs", "use super::*;", "name the module"),
            ("helpers.rs", "", "module helpers has no row"),
            ("handlers.rs", "use redis::cmd;", "may use redis"),
            ("handlers.rs", "fn f() { deadpool_redis::Pool::new() }", "may use deadpool_redis"),
            ("handlers.rs", "use reqwest::Client;", "may use reqwest"),
            ("handlers.rs", "use hyper_util::{client::legacy, rt};", "may use hyper_util::client"),
            ("handlers.rs", "use axum::http::{HeaderMap, StatusCode};", "may name a status code"),
            ("domain/id.rs", "async fn f() {}", "the domain is pure"),
            ("domain/id.rs", "fn f() { g().await }", "the domain is pure"),
            ("domain/id.rs", "use std::{fmt, time::Instant};", "the domain is pure"),
        ):
            self.source(f"{SRC}/{path}", text, what)
        self.source("functions/src/lib.rs", "use manager_svc::domain;", "functions must not use domain")
        self.source("tests/it/main.rs", "use manager_svc::tick;", "tests must not use tick")

    def test_each_crate_keeps_its_place(self) -> None:
        write(self.base, "tests/Cargo.toml", manifest("baton-tests", {}, {"manager-svc": "../manager-svc"}))
        self.assertEqual(self.run_check("imports.py"), (0, ""))
        for path, text, what in (
            ("tests", manifest("baton-tests", {"manager-svc": "../manager-svc"}), "must not depend on manager-svc"),
            ("functions", manifest("functions", {"baton-wire": "../manager-svc/wire"}), "must not depend on baton-wire"),
            ("functions", manifest("functions", {}, {"baton-wire": "../manager-svc/wire"}), "must not depend on"),
            ("functions", manifest("surprise", {}), "crate surprise: has no row"),
        ):
            self.source(f"{path}/Cargo.toml", text, what)

    def test_a_file_over_its_cap_is_found_and_a_long_one_is_noted(self) -> None:
        write(self.base, f"{SRC}/router.rs", "//\n" * 301)
        code, out = self.run_check("caps.py")
        self.assertIn("soft cap", out)
        self.assertEqual(code, 0)
        write(self.base, f"{SRC}/router.rs", "//\n" * 401)
        self.finds("caps.py", "router.rs: 401 lines")
        write(self.base, f"{SRC}/router.rs", "")
        write(self.base, f"{SCRIPTS}/lib/clock.lua", "--\n" * 61)
        self.finds("caps.py", "clock.lua: 61 lines")

    def test_a_script_without_its_form_is_found(self) -> None:
        for name, text, what in (
            ("end_action", SCRIPT.replace("-- KEYS", "-- keys"), "no `-- KEYS`"),
            ("end_action", SCRIPT.replace("-- ARGV", "--"), "no `-- ARGV`"),
            ("end_action", SCRIPT.replace("-- Returns 1\n", "local x\n-- Returns 1\n"), "no `-- Returns`"),
            ("end_action", "-- ARGV none\n-- KEYS none\n-- Returns 1\n", "order"),
            ("end_action", "#!lua flags=allow-oom\n" + SCRIPT, "a `#!lua` line"),
            ("lib/clock", "#!lua\n", "a `#!lua` line"),
            ("end", SCRIPT, "not verb_noun"),
            ("endAction", SCRIPT, "not verb_noun"),
            ("../../more/end_action", SCRIPT, "Redis scripts live in"),
        ):
            with self.subTest(name=name, what=what):
                write(self.base, f"{SCRIPTS}/{name}.lua", text)
                self.finds("scripts.py", what)
                write(self.base, f"{SCRIPTS}/{name}.lua", SCRIPT)
                if name not in {"end_action", "lib/clock"}:
                    (self.base / f"{SCRIPTS}/{name}.lua").unlink()

    def test_a_script_that_uses_other_than_it_describes_is_found(self) -> None:
        for keys, argv, body, what in (
            ("1 action", "none", "return KEYS[1] .. KEYS[2]", "KEYS[2] is not in the header"),
            ("1 action", "none", "return KEYS[1] .. ARGV[1]", "ARGV[1] is not in the header"),
            ("1 action,\n--      2 data", "none", "return KEYS[1]", "KEYS 2 is not used"),
            ("1 action", "1 id (an old one, 2 at most), 2 step", "return KEYS[1] .. ARGV[1]", "ARGV 2 is not used"),
            ("1 action", "none", "return 1 -- KEYS[1]", "KEYS 1 is not used"),
            ("1 action", "none", "return MONKEYS[1]", "KEYS 1 is not used"),
            ("1 action, 3 data", "none", "return KEYS[1] .. KEYS[3]", "KEYS [1, 3], not one by one"),
            ("1 seq; then per action: action, data", "none", "return KEYS[1] .. KEYS[4]", "KEYS[4] is not in the"),
        ):
            with self.subTest(what=what):
                write(self.base, f"{SCRIPTS}/end_action.lua", f"-- KEYS {keys}\n-- ARGV {argv}\n-- Returns 1\n{body}\n")
                self.finds("scripts.py", what)
        write(self.base, f"{SCRIPTS}/end_action.lua", SCRIPT)
        write(self.base, f"{SCRIPTS}/lib/clock.lua", "local function clock() return ARGV[1] end\n")
        self.finds("scripts.py", "ARGV[1] in a library")

    def test_a_script_that_uses_what_it_describes_passes(self) -> None:
        for keys, argv, body in (
            ("1 action, 2 data", "1 '1' or '2', 2 id; 3 step", "return KEYS[1] .. KEYS[2] .. ARGV[1] .. ARGV[2] .. ARGV[3]"),
            ("1 seq; then per action: action, data", "per action: id", "return KEYS[1] .. KEYS[3] .. ARGV[1]"),
            ("1 seq, 2… action records", "none", "return KEYS[1] .. KEYS[7]"),
            ("1 seq (not used)", "none", "return 1"),
        ):
            with self.subTest(keys=keys):
                write(self.base, f"{SCRIPTS}/end_action.lua", f"-- KEYS {keys}\n-- ARGV {argv}\n-- Returns 1\n{body}\n")
                self.assertEqual(self.run_check("scripts.py"), (0, ""))

    def test_words_of_elsewhere_are_found(self) -> None:
        for words in (
            ("/roo", "t/.cargo"), ("/wor", "k/main"), ("/hom", "e/me"), ("https://static.crat", "es.io"),
            ("files.pythonho", "sted.org"), ("registry.npm", "js.org"), ("deb.deb", "ian.org"),
            ("as issu", "e 12 asks"), ("in a later issu", "e"), ("desi", "gn.md section 3"), ("facts.m", "d"),
            ("anot", "her engineer"), ("a developer sessi", "on"), ("what the bri", "ef says"),
        ):
            with self.subTest(words=words):
                write(self.base, "README.md", "First.\nSee " + "".join(words) + "\n")
                self.finds("words.py", "README.md:2:")


if __name__ == "__main__":
    unittest.main()
