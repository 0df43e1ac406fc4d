#!/usr/bin/env bash
# Runs all tests, on a machine that may have nothing but Rust. Arguments go to the test runner: `tests/run.sh config::`.
#
# Tests kill workers and brokers, and wait seconds for what a quiet machine does in milliseconds; where others keep the
# machine busy, one may wait in vain. Of a few that failed, each is therefore run once more, alone, and said to be so;
# what fails alone has failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

# More than this is no accident.
AGAIN_MAX=5

set_up tests
say "Building and running the tests; the first build takes some minutes."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if cargo test --locked "$@" | tee "$log"; then
    exit 0
fi
# The last list of failures has the names alone; the one before it has what they said.
mapfile -t failed < <(awk '
    /^failures:$/ { split("", names); n = 0 }
    /^    [a-z0-9_:]+$/ { names[n++] = $1 }
    END { for (i = 0; i < n; i++) print names[i] }' "$log" | sort -u)
if ((${#failed[@]} == 0 || ${#failed[@]} > AGAIN_MAX)); then
    exit 1
fi
for name in "${failed[@]}"; do
    say "Once more, alone: $name"
    cargo test --locked --test it -- --exact "$name"
done
say "Passed when run alone: ${failed[*]}"
