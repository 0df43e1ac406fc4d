#!/usr/bin/env bash
# Shows Baton at work, on a machine that may have nothing but Rust. Arguments go to `baton demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

set_up
say "Building; the first build takes some minutes."
# The profile that the tests use, so that there is one build.
exec cargo run --quiet --locked -- demo "$@"
