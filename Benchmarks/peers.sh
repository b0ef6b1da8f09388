# shellcheck shell=bash
# How each monitor starts the same guest inside the box, with one CPU, and the first serial port on standard output:
# Debian's cloud kernel in 256 MiB, or a disk in 32 MiB.

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

# disk_command_line NAME IMAGE…: sets the array command_line to monitor NAME with one or two disks, the first of which is
# booted, and the exit port 0xF4.
#
#   minikvm   ours
#   pc        QEMU's board with the controller that our disks have, by SeaBIOS, less what the guests do not look for.
#             The screen is an ISA card, whose BIOS is the fastest; without its BIOS there is no text.
disk_command_line() {
    local image index=0
    # shellcheck disable=SC2034 # for the caller
    case $1 in
        minikvm)
            command_line=("$MINIKVM_BENCH_MONITOR" run --memory 32M --cpus 1 --no-reboot)
            for image in "${@:2}"; do command_line+=(--disk "$image"); done
            ;;
        pc)
            command_line=(
                "$MINIKVM_BENCH_QEMU" -nodefaults -no-user-config -display none -serial stdio -no-reboot
                -enable-kvm -cpu host -m 32 -smp 1 -M 'pc,acpi=off,hpet=off,vmport=off,smm=off,usb=off,fd-bootchk=off'
                -device isa-vga -boot 'menu=off,strict=on' -device 'isa-debug-exit,iobase=0xf4,iosize=1'
            )
            for image in "${@:2}"; do
                command_line+=(-drive "file=$image,format=raw,if=ide,index=$index,cache=writeback")
                index=$((index + 1))
            done
            ;;
        *)
            printf 'peers: there is no monitor "%s"\n' "$1" >&2
            return 2
            ;;
    esac
}

# passed_status NAME: what monitor NAME ends with when the guest writes 0 to the exit port.
passed_status() {
    if [ "$1" = minikvm ]; then echo 0; else echo 1; fi
}
