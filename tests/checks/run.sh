#!/usr/bin/env bash
# Every check, cheapest to read first, warnings denied; stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0

check() { # name, command...
  local name=$1 start=$SECONDS
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok    %4d s  %s\n' $((SECONDS - start)) "$name"
    grep 'soft cap' "$log" | sed 's/^/              /' || true
    passed=$((passed + 1))
  else
    cat "$log"
    printf 'FAIL  %4d s  %s: %s\n' $((SECONDS - start)) "$name" "$*"
    exit 1
  fi
}

scripts() { # the repository's shell scripts, by name or first line
  find . \( -path ./target -o -path ./.git -o -path ./.baton -o -name node_modules \) -prune \
    -o -type f \( -name '*.sh' -o -path './.ci/*' \) -print
}

shell() {
  # shellcheck disable=SC2046 # our paths have no spaces
  shellcheck $(scripts)
}

lua() {
  luacheck --no-color --no-cache --quiet manager-svc/src/store/scripts
}

policies() { # of what each tier makes
  local tier variables status=0
  variables=$(mktemp --suffix=.tfvars)
  for tier in serverless durable external; do
    echo "tier = \"$tier\"" >"$variables"
    "${CARGO_TARGET_DIR:-target}/checks/checkov/bin/checkov" --config-file infra/terraform/.checkov.yaml \
      --var-file "$variables" || status=1
  done
  rm "$variables"
  return $status
}

check 'format' cargo fmt --all --check
check 'clippy' cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
check 'the checks themselves' python3 tests/checks/selftest.py
check 'imports' python3 tests/checks/imports.py
check 'file sizes' python3 tests/checks/caps.py
check 'script headers' python3 tests/checks/scripts.py
check 'words' python3 tests/checks/words.py
check 'luacheck' lua
check 'shellcheck' shell
check 'docs' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
check 'binaries and examples' cargo build --locked --workspace --bins --examples
check 'dependencies: bans, licenses, sources' cargo deny --locked check -D warnings bans licenses sources
check 'unused dependencies' cargo machete
check 'terraform: format, validation, suites' python3 tests/checks/terraform.py check
check 'terraform: the suites themselves' python3 tests/checks/terraform_mistakes.py
check 'terraform: policies' policies
printf 'check: %d passed\n' $passed
