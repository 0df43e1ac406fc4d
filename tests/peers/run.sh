#!/usr/bin/env bash
# Software that others wrote, against Baton: clients of the three desks talk to the simulators, and what the Zendesk
# adapter sends is held against Zendesk's own OpenAPI document. A development check; CI does not run it.
#
# Nothing of theirs is committed. Packages come from the registries into a temporary folder. Two things are in no
# registry and come from their public repositories; where those cannot be reached, say where a copy is:
#   ZENDESK_OPENAPI=…/openapi.yaml   of zendesk/sunshine-conversations-api-spec
#   MIAW_CLIENT=…                    a checkout of cwatkins/miaw-client
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
work=$(mktemp -d)
simulators=
missing=()
finish() {
  if [ -n "$simulators" ]; then kill "$simulators" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

for tool in node npm python3 git cargo; do
  command -v "$tool" > /dev/null || { echo "install $tool first"; exit 2; }
done

# A copy of what is in no registry; empty, and noted, if there is none.
copy_of() {
  local given=$1 repository=$2
  if [ -n "$given" ]; then
    echo "$given"
  elif git clone --quiet --depth 1 "https://github.com/$repository" "$work/${repository#*/}" 2> /dev/null; then
    echo "$work/${repository#*/}"
  fi
}

echo "installing the peers …"
cp "$here"/*.mjs "$here"/package.json "$here"/bodies.py "$work"
(cd "$work" && npm install --no-audit --no-fund --silent)
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check openapi-schema-validator==0.6.3 pyyaml==6.0.2

spec=$(copy_of "${ZENDESK_OPENAPI:-}" zendesk/sunshine-conversations-api-spec)
if [ -d "$spec" ]; then spec=$spec/openapi.yaml; fi
miaw=$(copy_of "${MIAW_CLIENT:-}" cwatkins/miaw-client)

echo "building Baton …"
cargo build --quiet
mkdir "$work/recorded"
echo "recording what the Zendesk adapter sends …"
BATON_RECORD="$work/recorded" cargo test --quiet --test it -- conformance::recorded > /dev/null

target/debug/baton simulate salesforce zendesk dynamics --json --no-rep > "$work/ready.jsonl" &
simulators=$!
until [ "$(grep -c '"what":"ready"' "$work/ready.jsonl")" = 3 ]; do
  kill -0 "$simulators"
  sleep 0.1
done

cd "$work"
failed=0
check() {
  echo
  echo "$1"
  shift
  "$@" || failed=1
}
check "Zendesk's client (sunshine-conversations-client) against the simulated account:" node zendesk.mjs ready.jsonl
check "dynamics-web-api against the simulated environment:" node dynamics.mjs ready.jsonl
if [ -n "$miaw" ]; then
  npx esbuild "$miaw/src/index.ts" --bundle --packages=external --platform=node --format=esm --log-level=error --outfile=miaw-client.mjs
  check "miaw-client against the simulated org:" node salesforce.mjs ready.jsonl
else
  missing+=("miaw-client: set MIAW_CLIENT to a checkout of cwatkins/miaw-client")
fi
if [ -n "$spec" ]; then
  check "The Zendesk adapter and simulator against Zendesk's OpenAPI document:" python/bin/python bodies.py "$spec" recorded/zendesk.jsonl
else
  missing+=("the OpenAPI document: set ZENDESK_OPENAPI to the openapi.yaml of zendesk/sunshine-conversations-api-spec")
fi

echo
for one in ${missing[@]+"${missing[@]}"}; do
  echo "NOT CHECKED, $one"
  failed=1
done
[ "$failed" = 0 ] && echo "all peers get along with Baton"
exit "$failed"
