# shellcheck shell=bash
# How each monitor boots the same Linux guest inside the box: Debian's cloud kernel, 256 MiB, one CPU, the console on the
# first serial port and from there to standard output.

# command_line NAME WORDS: sets the array command_line to monitor NAME with the kernel command line WORDS.
#
#   minikvm        ours
#   microvm        QEMU's small board, with qboot, its fastest firmware (with option ROMs off, SeaBIOS finds no kernel)
#   microvm-lean   the same without the interrupt controller and timer of old PCs
#   q35            QEMU's usual board of today
command_line() {
    local guest=(-kernel "$MINIKVM_BENCH_KERNEL" -initrd "$MINIKVM_BENCH_INITRD" -append "$2")
    local qemu=(
        "$MINIKVM_BENCH_QEMU" -nodefaults -no-user-config -display none -serial stdio -no-reboot
        -enable-kvm -cpu host -m 256 -smp 1
    )
    local microvm=microvm,x-option-roms=off,isa-serial=on,rtc=on
    # shellcheck disable=SC2034 # for the caller
    case $1 in
        minikvm)
            command_line=(
                "$MINIKVM_BENCH_MONITOR" run --memory 256M --cpus 1 --no-reboot
                --kernel "$MINIKVM_BENCH_KERNEL" --initrd "$MINIKVM_BENCH_INITRD" --append "$2"
            )
            ;;
        microvm) command_line=("${qemu[@]}" -M "$microvm" -bios qboot.rom "${guest[@]}") ;;
        microvm-lean) command_line=("${qemu[@]}" -M "$microvm,pit=off,pic=off" -bios qboot.rom "${guest[@]}") ;;
        q35) command_line=("${qemu[@]}" -M q35 "${guest[@]}") ;;
        *)
            printf 'peers: there is no monitor "%s"\n' "$1" >&2
            return 2
            ;;
    esac
}
