#!/usr/bin/env bash
# Installs what is missing, or says how to.   install.sh build|redis|python|cloud|images|terraform|lint ...
set -euo pipefail

CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.2
TERRAFORM=1.11
CHECKOV=3.3.30

say() { printf 'install: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "needs root or sudo for: $*"
  fi
}

manager() {
  local name
  for name in apt-get dnf brew; do
    if have "$name"; then
      echo "$name"
      return
    fi
  done
  echo none
}

# Packages named for apt, dnf and brew; `-` where there is none.
install_packages() { # what, apt, dnf, brew
  local what=$1 apt=$2 dnf=$3 brew=$4
  case $(manager) in
    apt-get)
      say "apt-get install $apt"
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2 ||
        say "apt-get update failed; trying with the package lists that are here"
      # shellcheck disable=SC2086 # a list of packages
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $apt </dev/null >&2
      ;;
    dnf)
      [ "$dnf" != - ] || die "$what is missing, and dnf has no package of it: install it by hand"
      say "dnf install $dnf"
      # shellcheck disable=SC2086 # a list of packages
      as_root dnf install -y $dnf </dev/null >&2
      ;;
    brew) die "$what is missing. Install it with: brew install $brew" ;;
    none) die "$what is missing, and there is no apt-get, dnf or brew to install it with" ;;
  esac
}

build() {
  have cargo || die "Rust is missing. Install it from https://rustup.rs"
  have cc || install_packages "a C compiler" "gcc libc6-dev" "gcc" "gcc"
}

# Only the program is wanted: every Baton starts its own. A policy keeps the package from starting a service.
redis() {
  local policy=/usr/sbin/policy-rc.d
  if have valkey-server || have redis-server; then
    return
  fi
  if [ "$(manager)" = apt-get ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    trap 'as_root rm -f '$policy EXIT
  fi
  install_packages "Redis" redis-server valkey redis
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --quiet redis-server valkey 2>/dev/null || true
  fi
}

component() { # command, rustup component
  cargo "$1" --version >/dev/null 2>&1 && return
  have rustup || die "cargo $1 is missing. Install the component $2 of your Rust"
  rustup component add "$2" >&2
}

# A tool of this version or a later one. Cargo keeps what it has installed, so this compiles once per machine.
tool() { # crate, version
  local version
  version=$(cargo "${1#cargo-}" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1) || true
  if [ -n "$version" ] && [ "$(printf '%s\n' "$2" "$version" | sort -V | head -n 1)" = "$2" ]; then
    return
  fi
  say "cargo install $1 $2"
  cargo install --locked --version "$2" "$1" >&2
}

python() {
  have python3 || install_packages "Python 3" python3 python3 python3
}

venv() {
  python
  python3 -c 'import ensurepip' 2>/dev/null || install_packages "Python's module venv" python3-venv - python3
}

# A local cloud is installed by its own requirements, and only deployed to by terraform.
cloud() {
  venv
  terraform
}

# Debian is unpacked by debootstrap, which is for Linux alone.
images() {
  [ "$(uname)" = Linux ] || die "images are made on Linux: what they are built on is unpacked by debootstrap"
  venv
  if ! have buildah || ! have podman || ! have debootstrap || ! have runc; then
    install_packages "buildah, debootstrap, podman or runc" "buildah debootstrap podman runc" "buildah debootstrap podman runc" -
  fi
}

# It has no package in Debian, Ubuntu or Fedora.
terraform() {
  local version how="Install it: https://developer.hashicorp.com/terraform/install"
  python
  version=$(command terraform version 2>/dev/null | grep -oE '^Terraform v[0-9.]+' | cut -d v -f 2) || true
  [ -n "$version" ] || die "terraform is missing. $how"
  [ "$(printf '%s\n' $TERRAFORM "$version" | sort -V | head -n 1)" = $TERRAFORM ] ||
    die "terraform $version is too old: $TERRAFORM or later is needed. $how"
}

# Into a directory of its own below the build's, once per version.
checkov() {
  local home=${CARGO_TARGET_DIR:-target}/checks/checkov
  if [ "$(cat "$home/version" 2>/dev/null)" = $CHECKOV ]; then
    return
  fi
  venv
  say "pip install checkov $CHECKOV"
  python3 -m venv --clear "$home"
  "$home/bin/pip" --disable-pip-version-check --quiet install checkov==$CHECKOV >&2
  echo $CHECKOV >"$home/version"
}

lint() {
  build
  python
  terraform
  checkov
  if ! have luacheck || ! have shellcheck; then
    install_packages "luacheck or shellcheck" "lua-check shellcheck" - "luacheck shellcheck"
  fi
  component clippy clippy
  component fmt rustfmt
  tool cargo-deny $CARGO_DENY
  tool cargo-machete $CARGO_MACHETE
}

[ $# -gt 0 ] || die "which? build, redis, python, cloud, images, terraform or lint"
for what in "$@"; do
  case $what in
    build | redis | python | cloud | images | terraform | lint) "$what" ;;
    *) die "which? build, redis, python, cloud, images, terraform or lint" ;;
  esac
done
