# The front door. Each target is one script; `make` alone tells what there is.
.PHONY: help run riscv test bench box format fuzz clean

SHELL := /bin/bash
FUZZ_SECONDS ?= 600
FUZZ_SEEDS ?= 100
GUESTS ?= 1
CPUS ?= 1

help:
	@echo 'mini-kvm: virtualization you can read, in Swift'
	@echo
	@echo '  make run      boot Debian Linux in minikvm and get its shell;'
	@echo "                without a terminal, run stdin as a script: echo 'uname -a' | make run"
	@echo '  make riscv    boot the RISC-V hypervisor under QEMU, and Debian Linux in it;'
	@echo '                make riscv GUESTS=2 CPUS=4, or make riscv LESSON=hello'
	@echo '  make test     all tests on all beds; the last line is "N passed, N failed"'
	@echo '  make bench    measure, against other monitors too (minutes)'
	@echo '  make box      a shell on an emulated machine with a complete KVM;'
	@echo "                or a command: make box COMMAND='ls -l /dev/kvm'"
	@echo '  make format   bring all Swift code into the project'"'"'s format'
	@echo '  make fuzz     fuzz the parsers and devices for FUZZ_SECONDS (600) each, then run'
	@echo '                guests that write garbage to all of a PC, by FUZZ_SEEDS (100)'
	@echo '  make clean    remove what was built (downloads stay in ~/.cache/mini-kvm)'
	@echo
	@echo 'make reports every failure as status 2; the scripts behind it keep the real one'
	@echo '(scripts/run, scripts/test, scripts/box, each with --help).'

run:
	@scripts/run

riscv:
	@scripts/setup riscv </dev/null
	@scripts/riscv --guests $(GUESTS) --cpus $(CPUS) $(LESSON)

test:
	@scripts/setup test </dev/null
	@scripts/test

bench:
	@scripts/setup run </dev/null
	@Benchmarks/run

box:
	@scripts/box -- $(if $(COMMAND),bash -c '$(subst ','\'',$(COMMAND))',bash)

format:
	@git ls-files -z '*.swift' | xargs -0 swift format --in-place --parallel --configuration .swift-format

fuzz:
	@scripts/setup test </dev/null
	@scripts/fuzz --seconds $(FUZZ_SECONDS)
	@MINIKVM_FUZZ_SEEDS=$(FUZZ_SEEDS) scripts/test --filter 'FuzzGuestTests|FuzzedProgramTests' direct

clean:
	@rm -rf .build Hypervisor/.build
