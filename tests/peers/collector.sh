#!/usr/bin/env bash
# A collector that others wrote, against Baton: rotel, an OpenTelemetry collector that PyPI has as a binary, takes the
# spans of a handoff over OTLP/HTTP and prints what it has got. A development check; CI does not run it.
#
# Nothing of theirs is committed. The package comes from PyPI into a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
collector=
finish() {
  if [ -n "$collector" ]; then kill "$collector" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

for tool in python3 cargo; do
  command -v "$tool" > /dev/null || { echo "install $tool first"; exit 2; }
done

echo "installing rotel …"
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check rotel==0.0.1a15
# The package starts its binary only from Python; here it is run by itself, so that what it prints can be read.
rotel=$("$work/python/bin/python" -c 'import pathlib, rotel; print(pathlib.Path(rotel.__file__).with_name("rotel-agent"))')
chmod +x "$rotel"

read -r http grpc < <(python3 -c '
import socket
ports = [socket.socket() for _ in range(2)]
for it in ports: it.bind(("127.0.0.1", 0))
print(*[it.getsockname()[1] for it in ports])')
"$rotel" start --otlp-http-endpoint "127.0.0.1:$http" --otlp-grpc-endpoint "127.0.0.1:$grpc" \
  --pid-file "$work/pid" --exporter blackhole --debug-log traces --debug-log-verbosity detailed > "$work/rotel.log" 2>&1 &
collector=$!
# Looked for in its log: knocking at a port that nobody listens at yet may connect the knocker to itself.
until grep -q "Starting Rotel" "$work/rotel.log"; do
  kill -0 "$collector" || { cat "$work/rotel.log"; exit 1; }
  sleep 0.1
done

echo "a worker, a broker and a simulated desk: one handoff, with spans to rotel …"
test=traces::a_handoff_without_a_context_is_a_trace_of_its_own
BATON_COLLECTOR="http://127.0.0.1:$http" cargo test --quiet --locked --test it -- --exact --nocapture "$test" > "$work/test.log" 2>&1 ||
  { cat "$work/test.log"; exit 1; }
trace=$(sed -n 's/^published under the trace //p' "$work/test.log")
[ -n "$trace" ] || { cat "$work/test.log"; exit 1; }
echo "the lifecycle events and the reply were published under the trace $trace"

# What rotel has got of this trace, by name.
spans() { awk -v trace="$trace" '/^ *Trace ID +:/ { mine = $NF == trace } /^ *Name +:/ && mine { print $NF }' "$work/rotel.log"; }
for _ in $(seq 100); do
  if spans | grep -qx reply; then break; fi
  sleep 0.1
done
failed=0
for span in accept identity-token access-token transcript create-conversation opening-message reply; do
  if [ "$(spans | grep -cx "$span")" = 1 ]; then
    echo "ok: $span"
  else
    echo "MISSING, or more than one: $span"
    failed=1
  fi
done
[ "$failed" = 0 ] || cat "$work/rotel.log"
[ "$failed" = 0 ] && echo "the collector has the handoff as it was published"
exit "$failed"
