#!/usr/bin/env bash
# Builds the program as it is to be installed: target/dist/sabir. It is compiled so that it counts what runs how often,
# asked everything by learn.py, and compiled again by these counts.
#
# `dist.sh --bench graphql` and the like: builds that in the same way, in target/guided, to be measured.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'dist: %s\n' "$*" >&2; }

host=$(rustc -vV | sed -n 's/^host: //p')
# Counts are read by tools of the compiler's own LLVM alone.
profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[ -x "$profdata" ] || rustup component add llvm-tools ||
  { say "the compiler's llvm-tools are not there: rustup has them"; exit 1; }

# What is built beside the program changes what the program is built of, and so the names that are counted.
targets=(--bin sabir "$@")
out=$PWD/target/$([ $# = 0 ] && echo dist || echo guided)
# With a target that is named, the flags are not those of what runs while compiling.
build() {
  RUSTFLAGS="${RUSTFLAGS:-} $2" cargo build --release --locked --target "$host" --target-dir "$out/$1" "${targets[@]}"
}

rm -rf "$out/counts"
build counting "-Cprofile-generate=$out/counts"
scripts/learn.py "$out/counting/$host/release/sabir"
"$profdata" merge -o "$out/counts/all" "$out"/counts/*.profraw
build guided "-Cprofile-use=$out/counts/all"
cp "$out/guided/$host/release/sabir" "$out/sabir"
say "$out/sabir is built"
