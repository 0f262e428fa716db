#!/usr/bin/env bash
# Builds the images on bases of its own, without an image registry, and runs an action through them.
#   make.sh [PHASE...]   phases: bases manager worker functions run (all of them when none is named)
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "images: debootstrap and buildah's chroot need root: sudo make images" >&2; exit 1; }
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/images
mkdir -p "$work"

build() { # name, context, arguments...
  local start=$SECONDS name=$1 context=$2
  shift 2
  buildah build --isolation chroot --layers --force-rm --pull=never --tag "localhost/baton-$name" "$@" "$context" \
    >"$work/$name.log" 2>&1 ||
    { tail -n 40 "$work/$name.log" >&2; echo "images: baton-$name: all of it is in $work/$name.log" >&2; return 1; }
  printf 'ok    %4d s  image baton-%s\n' $((SECONDS - start)) "$name"
}

# Made once: `buildah rmi baton-build` and so on makes them anew.
bases() {
  local base
  for base in build run store; do
    if ! buildah inspect --type image "localhost/baton-$base" >/dev/null 2>&1; then
      [ -e "$work/bases/debian.tar" ] || debian
      build "$base" "$work/bases" --file tests/images/Containerfile --target "$base"
    fi
  done
  rm -rf "$work/bases"
}

debian() {
  local start=$SECONDS
  rm -rf "$work/bases"
  mkdir -p "$work/bases"
  debootstrap --variant=minbase bookworm "$work/bases/debian" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 40 "$work/debootstrap.log" >&2; return 1; }
  tar -C "$work/bases/debian" -cf "$work/bases/debian.part" .
  rm -rf "$work/bases/debian"
  mv "$work/bases/debian.part" "$work/bases/debian.tar"
  printf 'ok    %4d s  Debian\n' $((SECONDS - start))
}

# Crates come as cargo is told to get them on this machine; the build itself needs no network, and finds them where
# cargo looks for its configuration.
crates() {
  local crates=$work/cargo
  if ! cmp -s Cargo.lock "$crates/Cargo.lock"; then
    rm -rf "$crates"
    mkdir -p "$crates"
    cargo vendor --locked --versioned-dirs "$crates/vendor" 2>"$work/crates.log" |
      sed 's|^directory = .*|directory = "/.cargo/vendor"|' >"$crates/config.toml"
    printf '\n[net]\noffline = true\n' >>"$crates/config.toml"
    cp Cargo.lock "$crates/Cargo.lock"
  fi
}

ours() { # name, arguments...
  crates
  build "$1" . --volume "$work/cargo:/.cargo:ro" \
    --build-arg BUILD_BASE=localhost/baton-build --build-arg RUN_BASE=localhost/baton-run "${@:2}"
}

manager() { ours manager --file Containerfile --target manager; }
functions() { ours functions --file Containerfile --target functions --build-arg "PROFILE=${PROFILE:-function}"; }
worker() { ours worker --file processor-template/Containerfile; }

# In a network of its own, where every port is free.
run() {
  local venv=$work/venv wanted=tests/images/requirements.txt
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
  fi
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/cloud unshare --net "$venv/bin/python" tests/images/run.py
}

phases=(bases manager worker functions run)
[ $# -gt 0 ] || set -- "${phases[@]}"
for phase in "$@"; do
  case $phase in
    bases | manager | worker | functions | run) "$phase" ;;
    *) echo "images: which? ${phases[*]}" >&2; exit 1 ;;
  esac
done
