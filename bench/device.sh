#!/bin/sh
# Measures a card of NVIDIA's by bench/device.ts, the smallest checks first, each step in a process and with a time
# limit of its own, what does not fit into 470 seconds left out. Prints a line of JSON for each result, and the lines to
# $OUT/device.jsonl where OUT is set.
#
#   bench/device.sh pack FILE.tar.gz       what `run` needs on a bare Linux machine (x86-64): Node, the build, OpenBLAS
#   bench/device.sh run [FILE.tar.gz]      measures there (less than 8 minutes), or, without a file, by the build here
#   bench/device.sh smoke [FILE.tar.gz]    the same at tiny sizes
#
# STEPS='checks,curvature' takes those alone, by their first words.
#
# NVRTC, cuBLAS, cuSOLVER and the driver are the machine's own (docs/devices.md: where they are looked for; HMATRIX_CUDA).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

pack() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/bin" "$work/lib/base"
  cp "$(node --print process.execPath)" "$work/bin/node"
  # What the machine may lack: OpenBLAS, and what Node itself needs (base).
  for name in libopenblas.so.0 libgfortran.so.5 libquadmath.so.0 base/libstdc++.so.6 base/libgcc_s.so.1; do
    file=$(ldconfig -p | sed -n "s/^\t$(basename "$name") (.*x86-64) => //p" | head -n 1)
    if [ -n "$file" ]; then cp -L "$file" "$work/lib/$name"; fi
  done
  modules=$(cd "$root" && npm ls --all --omit=dev --parseable | sed -n "s#^$root/##p")
  # koffi has a binary for each system.
  (cd "$root" && tar -cf - --exclude='*.map' --exclude='*.d.ts' --exclude='koffi/build/koffi/[!l]*' \
    --exclude='koffi/build/koffi/linux_[!x]*' --exclude='koffi/src' --exclude='koffi/vendor' --exclude='koffi/doc' \
    package.json bench/device.sh dist/src dist/bench dist/datasets $modules) | tar -xf - -C "$work"
  tar -czf "$1" -C "$work" .
}

run() {
  node=node
  if [ -n "$2" ]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    tar -xzf "$2" -C "$unpacked"
    root=$unpacked
    node=$unpacked/bin/node
    LD_LIBRARY_PATH=$unpacked/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    # The machine's own are preferred: its other libraries may need newer ones.
    "$node" --version >/dev/null 2>&1 || LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$unpacked/lib/base
  fi
  results=${OUT:-}
  status=0
  began=$(date +%s)
  step() {
    limit=$1
    shift
    case ",${STEPS:-$1}," in *",$1,"*) ;; *) return 0 ;; esac
    left=$((470 - $(date +%s) + began))
    if [ "$left" -lt 2 ]; then
      lines="{\"step\":\"$*\",\"leftOut\":true}"
      if [ -n "$results" ]; then echo "$lines" | tee -a "$results/device.jsonl"; else echo "$lines"; fi
      return 0
    fi
    if [ "$limit" -gt "$left" ]; then limit=$left; fi
    lines=$(timeout -k 5 "$limit" "$node" --no-warnings "$root/dist/bench/device.js" "$@") && code=0 || code=$?
    if [ "$code" -ne 0 ]; then
      status=1
      lines="$lines
{\"step\":\"$*\",\"failed\":true,\"exit\":$code,\"limitSeconds\":$limit}"
    fi
    printf '%s\n' "$lines" | sed '/^$/d' | if [ -n "$results" ]; then tee -a "$results/device.jsonl"; else cat; fi
  }
  if [ "$1" = smoke ]; then
    for name in describe checks rates gemms factors work curvature 'training transformer' 'training resnet-18' 'apply 600' \
      'solve 600' 'solve 600 hodlr' 'compress 300' table; do
      step 60 $name --smoke
    done
  else
    step 15 describe
    step 45 checks
    step 35 rates
    step 50 gemms
    step 30 factors
    step 40 work
    step 60 curvature
    step 60 training transformer
    step 75 training resnet-18
    step 40 apply 65536
    step 40 solve 65536
    step 60 solve 65536 hodlr
    step 60 compress 65536
    step 90 table
    step 60 apply 262144
    step 75 solve 262144
    step 120 apply 1048576
  fi
  exit "$status"
}

case "${1:-} ${2:-}" in
  'pack '?*) pack "$2" ;;
  'run '* | 'smoke '*) run "$1" "${2:-}" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
