# Makes a Debian or Ubuntu machine ready to build and test Baton. For sourcing: `. deploy/setup.sh`, then `set_up`, or
# `set_up tests` for what only the tests need.
# It needs Rust to be there already, and installs what else is missing with apt, saying so.

say() { printf '» %s\n' "$*" >&2; }

give_up() {
    printf '✗ %s\n' "$@" >&2
    exit 2
}

set_up() {
    find_cargo
    local missing=()
    compiles_c || missing+=(gcc libc6-dev)
    has_rabbitmq || missing+=(rabbitmq-server)
    if [ "${1:-}" = tests ]; then
        has_python || missing+=(python3 python3-venv)
        command -v npm >/dev/null || missing+=(npm)
        has_browser || missing+=(chromium chromium-driver)
    fi
    if ((${#missing[@]})); then
        install "${missing[@]}"
    fi
}

find_cargo() {
    # rustup adds this to new login shells only.
    if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
        . "$HOME/.cargo/env"
    fi
    command -v cargo >/dev/null ||
        give_up "Rust is missing. Install it as rustup.rs says, then run this again."
}

# A compiler alone is not enough: the C library's headers are a package of their own.
compiles_c() {
    command -v cc >/dev/null && echo 'int main(void) { return 0; }' |
        cc -x c -include stdio.h -o /dev/null - 2>/dev/null
}

# Debian keeps it where an ordinary user's PATH does not look. Nothing of it has to run: tests and demo start nodes of
# their own from it, on free ports of 127.0.0.1, as the current user.
has_rabbitmq() {
    PATH="$PATH:/usr/sbin" command -v rabbitmq-server >/dev/null
}

# Debian's python3 alone cannot make an environment to install packages into.
has_python() {
    command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null
}

# The console is tested in it.
has_browser() {
    command -v chromedriver >/dev/null
}

install() {
    local by_hand="apt-get install --no-install-recommends $*"
    local as_root=()
    command -v apt-get >/dev/null ||
        give_up "Missing: $*." "There is no apt here; install these by hand (names as in Debian), then run this again."
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null ||
            give_up "Missing: $*." "Install it as root, then run this again:" "    $by_hand"
        as_root=(sudo)
    fi
    say "Installing $* with apt."
    local log
    log=$(mktemp)
    # A list that cannot be refreshed is no reason to stop: the packages may be in another one.
    if ! {
        "${as_root[@]}" apt-get update
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        give_up "apt could not install $*; all it said is in $log." "By hand: $by_hand"
    fi
    rm -f "$log"
}
