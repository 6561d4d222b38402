#!/usr/bin/env bash
# Runs the bfloat16 products of native/ with the instructions of avx512_bf16 on any x64 machine: in Bochs, which emulates them.
# Usage: bash scripts/emulated-cpu/run.sh BOCHS KERNEL [FOLDER PROGRAM ARGS...]
#   BOCHS    the unpacked source of Bochs 3.0; it is built on the first run (about 10 minutes of one core)
#   KERNEL   an image of Linux 6.1 or later, such as /boot/vmlinuz-*-cloud-amd64
#   FOLDER   becomes /app of the emulated machine, beside this machine's Node; PROGRAM, a module in it, is run instead of the check:
#            with anemone-ml and its dependencies installed in it, gpt.yaml, and text.txt (`yes "the quick brown fox jumps over the lazy dog" |
#            head -400`): `node_modules/anemone-ml/dist/cli/main.js train gpt.yaml`
# It needs gcc, g++, make, cpio, xorriso, isolinux and the BIOS images of Bochs (in its source, or in Debian's packages bochsbios and vgabios). The emulated machine makes 30 to 90 million instructions a second.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
native="$here/../../native"
bochs="$(cd "$1" && pwd)" kernel="$(realpath "$2")"
shift 2
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Bochs emulates the instructions for its Sapphire Rapids alone, on which Linux does not start; its Skylake gets them, and says so.
if [ ! -x "$bochs/bochs" ]; then
  model="$bochs/cpu/cpudb/intel/corei7_skylake-x.cc"
  sed -i '/::get_std_cpuid_leaf_7(/,/^}/ {
    s/leaf->eax = 0; \/\* report max/leaf->eax = 1; \/* report max/
    s/^  default:/  case 1:\n    leaf->eax = 1 << 5; leaf->ebx = leaf->ecx = leaf->edx = 0;\n    break;\n  default:/
  }' "$model"
  (cd "$bochs" && ./configure --enable-x86-64 --enable-cpu-level=6 --enable-evex --with-nogui --without-x --without-x11 \
    --disable-docbook --enable-fast-function-calls --enable-handlers-chaining --enable-repeat-speedups --enable-pci && make) >&2
fi

bios="$bochs/bios"
[ -f "$bios/BIOS-bochs-latest" ] || bios=/usr/share/bochs
root="$work/root"
mkdir -p "$root"/{dev,proc,sys,tmp} "$work/iso/isolinux"
gcc -O2 -static "$here/init.c" -o "$root/init"
if [ $# -eq 0 ]; then
  gcc -O2 -static -I"$native" "$here/gemm16-check.c" "$native/gemm16.c" -o "$root/run" -lm
else
  folder="$(cd "$1" && pwd)"
  shift
  cp -r "$folder" "$root/app"
  node="$(command -v node)"
  # What a program loads beside Node's own libraries lies in its folder.
  for file in $(find "$folder" -name '*.node' -o -name '*.so*' | xargs -r ldd "$node" | grep -o '/[^ :]*\.so[^ :]*' | sort -u); do
    case "$file" in "$folder"/*) continue ;; esac
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done
  cp "$node" "$root/node"
  # A shell is not needed: the first process runs this.
  printf '#include <unistd.h>\n#include <stdlib.h>\nint main(void){chdir("/app");setenv("HOME","/tmp",1);char *a[]={"node",%s 0};execv("/node",a);return 127;}\n' \
    "$(printf '"%s",' "$@")" > "$work/run.c"
  gcc -static -w "$work/run.c" -o "$root/run"
fi
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1 > "$work/iso/initrd.gz")
cp "$kernel" "$work/iso/vmlinuz"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/isolinux"
cat > "$work/iso/isolinux/isolinux.cfg" <<'CONFIG'
default linux
label linux
 kernel /vmlinuz
 append initrd=/initrd.gz console=ttyS0 quiet panic=1 nosmp mitigations=off lpj=1000000
CONFIG
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
  -boot-load-size 4 -boot-info-table "$work/iso" 2>/dev/null
cat > "$work/bochsrc" <<CONFIG
cpu: model=corei7_skylake_x, count=1, ips=50000000, add_features="avx512bf16"
memory: guest=2048, host=2048
romimage: file=$bios/BIOS-bochs-latest
vgaromimage: file=$bios/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: /dev/null
display_library: nogui
CONFIG
touch "$work/serial"
"$bochs/bochs" -q -f "$work/bochsrc" > "$work/bochs.out" 2>&1 &
machine=$!
tail -f --pid=$machine "$work/serial" &
while kill -0 $machine 2>/dev/null && ! grep -q '^exit code' "$work/serial"; do sleep 2; done
kill $machine 2>/dev/null || true
wait 2>/dev/null || true
grep -q '^exit code 0' "$work/serial"
