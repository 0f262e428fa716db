#!/usr/bin/env python3
"""Who may import whom. A row names everything its crate or module may use; what has no row fails.

The rows are the architecture: change one only together with docs/ARCHITECTURE.md.
"""

import json
import subprocess
from pathlib import Path

from rust_paths import Source, read
from tree import files, report, root

# Crates of this workspace:      functions -> manager-svc -> wire <- sdk <- worker
CRATES = {
    "baton-wire": "",
    "manager-svc": "baton-wire",
    "functions": "manager-svc",
    "baton-sdk": "baton-wire",
    "worker": "baton-sdk",
    "baton-tests": "baton-wire",
}
# For tests and examples only. The end-to-end tests speak HTTP; of the manager they use the invariant checker.
DEV_CRATES = {"baton-tests": "manager-svc"}

# Modules of manager-svc; `wire` is the crate baton-wire.
MODULES = {
    "bin": "config server",
    "server": "app config egress logging router store tick wire",
    "router": "app error guard handlers",
    "guard": "config error",
    "handlers": "again app domain egress error reply settle store view wake wire",
    "nudge": "app",
    "trimmer": "",
    "tick": "again app config clock domain egress nudge settle store view wake wire trimmer",
    "settle": "app domain store wake",
    "again": "domain store",
    "view": "clock domain store wire",
    "app": "checks config domain egress registry store usage wake wire trimmer",
    "checks": "store",
    "registry": "store clock",
    "wake": "domain store",
    "reply": "",
    "error": "store wire",
    "config": "wire",
    "logging": "config",
    "egress": "wire",
    "store": "domain",
    "usage": "wire",
    "clock": "",
    "domain": "",
}
# What the other crates may use of manager-svc.
USERS = {
    "functions": "app clock config egress logging nudge router store tick",
    "tests": "domain store",
    # The route table, to be compared with what is deployed.
    "tests/parity": "router",
    # Ticks are called as Lambda calls them, under a clock that stands still.
    "tests/tick": "app config nudge store tick",
}

# Names from other crates that only these modules of manager-svc may use.
CONFINED = {
    "redis": "store server::embedded",
    "deadpool_redis": "store server::embedded",
    "reqwest": "egress",
    "hyper_rustls": "egress",
    "hyper_util::client": "egress",
}
# Alone the last word on status codes: what a handler returns has none.
STATUS_CODES = "reply error egress"

# The domain computes: no I/O, no clock, no async.
IMPURE = """async await tokio futures_util axum hyper http std::env std::fs std::io std::net std::process std::thread
    std::time::Instant std::time::SystemTime Instant SystemTime tracing"""

MANAGER, LIBRARY = Path("manager-svc/src"), "manager_svc"


def crate_problems(base: Path) -> list[str]:
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"],
        cwd=base, check=True, capture_output=True).stdout)
    found = []
    for package in metadata["packages"]:
        name = package["name"]
        if name not in CRATES:
            found.append(f"crate {name}: has no row in CRATES")
            continue
        for dependency in package["dependencies"]:
            if dependency.get("path") is None:
                continue
            allowed = CRATES[name].split()
            if dependency["kind"] == "dev":
                allowed += DEV_CRATES.get(name, "").split()
            if dependency["name"] not in allowed:
                found.append(f"crate {name}: must not depend on {dependency['name']}")
    return found


def module_of(path: Path) -> tuple[str, ...]:
    """The module path of a file below src."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] in {"mod", "lib", "main"} else parts


def absolute(path: tuple[str, ...], module: tuple[str, ...], own_crate: bool) -> tuple[str, ...] | None:
    """A path into manager-svc from its root; None when it leads elsewhere."""
    if path[0] == LIBRARY:
        return path[1:]
    if not own_crate or path[0] not in {"crate", "self", "super"} or path == ("crate",):
        return None  # the last is a visibility, as in `pub(crate)`
    at = () if path[0] == "crate" else module
    rest = path[1:] if path[0] in {"crate", "self"} else path
    while rest and rest[0] == "super":
        at, rest = at[:-1], rest[1:]
    return (*at, *rest)


def starts_with(path: tuple[str, ...], prefixes: str) -> str | None:
    for prefix in prefixes.split():
        parts = tuple(prefix.split("::"))
        if path[:len(parts)] == parts:
            return prefix
    return None


def into_manager(where: str, target: tuple[str, ...], layer: str, row: str, modules: set[str]) -> list[str]:
    if not target or (len(target) == 1 and target[0] not in modules):
        what = "::".join(("crate", *target))
        return [f"{where}: `{what}`: name the module that it lives in"]
    if target[0] == layer or target[0] in row.split():
        return []
    return [f"{where}: {layer} must not use {target[0]}"]


def module_problems(path: Path, module: tuple[str, ...], source: Source, modules: set[str]) -> list[str]:
    layer, found = module[0], []
    if layer not in MODULES:
        return [f"{path}: module {layer} has no row in MODULES"]
    for named in source.paths:
        where, at = f"{path}:{named.line}", (*module, *named.inside)
        if named.path[0] == "baton_wire":
            if "wire" not in MODULES[layer].split():
                found.append(f"{where}: {layer} must not use wire")
            continue
        target = absolute(named.path, at, own_crate=layer != "bin")
        if target is not None:
            found += into_manager(where, target, layer, MODULES[layer], modules)
            continue
        for name, owners in CONFINED.items():
            if len(named.path) > 1 and starts_with(named.path, name) and not starts_with(module, owners):
                found.append(f"{where}: only {owners.replace(' ', ', ')} may use {name}")
        if "StatusCode" in named.path and not starts_with(module, STATUS_CODES):
            found.append(f"{where}: only {STATUS_CODES.replace(' ', ', ')} may name a status code")
        if layer == "domain" and (impure := starts_with(named.path, IMPURE)):
            found.append(f"{where}: the domain is pure, and uses {impure}")
    return found


def user_problems(path: Path, crate: str, source: Source, modules: set[str]) -> list[str]:
    found = []
    for named in source.paths:
        target = absolute(named.path, (), own_crate=False)
        if target is not None:
            found += into_manager(f"{path}:{named.line}", target, crate, USERS[crate], modules)
    return found


def main() -> None:
    base = root()
    found = crate_problems(base)
    paths = [path for path in files(base) if path.suffix == ".rs"]
    sources = {path: read((base / path).read_text()) for path in paths}
    inside = {path: module_of(path.relative_to(MANAGER)) for path in paths if MANAGER in path.parents}
    test_modules = {(*inside[path], *name) for path in inside for name in sources[path].test_modules}
    modules = {module[0] for module in inside.values() if module}
    for path, source in sources.items():
        module = inside.get(path)
        if module:
            is_test = any(module[:n] in test_modules for n in range(1, len(module) + 1))
            if not is_test:
                found += module_problems(path, module, source, modules)
        elif path.parts[0] in USERS:
            part = "/".join(path.parts[:2])
            user = part if part in USERS else path.parts[0]
            found += user_problems(path, user, source, modules)
    report(sorted(set(found)))


if __name__ == "__main__":
    main()
