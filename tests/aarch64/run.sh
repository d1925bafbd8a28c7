#!/usr/bin/env bash
# Builds hashes.cpp and the rooms under it for aarch64, runs it in an emulator and compares what it
# prints with what this machine's build prints.
#
# usage: run.sh NATIVE_HASHES WORK_FOLDER      exit 77: no cross compiler or emulator
# Debian: apt-get install g++-aarch64-linux-gnu qemu-user
set -euo pipefail
native=$1 work=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
cxx=${DDPM_AARCH64_CXX:-aarch64-linux-gnu-g++}

for tool in "$cxx" qemu-aarch64; do
  command -v "$tool" > /dev/null || { echo "skipped: no $tool"; exit 77; }
done

# Headers that are the same for every processor, apart from the host's others.
rm -rf "$work/objects"
mkdir -p "$work/include" "$work/objects"
for library in hwy fmt tl; do ln -sfn "/usr/include/$library" "$work/include/$library"; done

# What needs no zlib, no libpng and no JSON.
sources() {
  cd "$root"
  ls ddpm/{base,diffusion,entropy,engine,engine/cpu,codec}/*.cpp |
    grep -vE '_(test|bench|slow_test)\.cpp$|^ddpm/base/(zip|crc32)\.cpp$|^ddpm/codec/tables_json\.cpp$'
  ls ddpm/image/image.cpp
  ls ddpm/net/{graph,gradient,params,unet,unet_check,unet_init}.cpp
  ls tests/aarch64/{hashes,highway_targets}.cpp
}

compile() {
  $launcher "$cxx" -std=c++20 -O2 -ffp-contract=off -w -DFMT_HEADER_ONLY -DHWY_BROKEN_EMU128=1 \
    '-DHWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)' \
    -DDDPM_VERSION='"cross"' -I "$root" -I "$work/include" -c "$root/$1" \
    -o "$work/objects/${1//\//_}.o"
}
export -f compile
launcher=$(command -v ccache || true)
export cxx root work launcher

sources | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'compile {}'
"$cxx" -static "$work"/objects/*.o -pthread -o "$work/hashes"
"$native" > "$work/here.txt"
qemu-aarch64 "$work/hashes" > "$work/aarch64.txt"
paste -d ' ' "$work/here.txt" <(cut -d ' ' -f 2 "$work/aarch64.txt")
cmp "$work/here.txt" "$work/aarch64.txt"
