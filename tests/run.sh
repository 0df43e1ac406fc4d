#!/usr/bin/env bash
# Runs all tests, on a machine that may have nothing but Rust. Arguments go to the test runner: `tests/run.sh config::`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

set_up tests
say "Building and running the tests; the first build takes some minutes."
cargo test --locked "$@"
