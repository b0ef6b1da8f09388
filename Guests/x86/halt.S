// halt: the smallest guest there is. One instruction, one exit.
//
// HLT stops the processor until an interrupt arrives (SDM vol. 2, HLT). On a machine without an interrupt controller
// none ever will: KVM_RUN returns with KVM_EXIT_HLT, and the monitor ends the run with status 0. With KVM's in-kernel
// interrupt controllers HLT does not exit at all; KVM puts the vCPU's thread to sleep. So this guest asks for a
// machine without them.
#include "guest.h"

    guest   halt
    cli                                 // no interrupts: nothing can wake the processor
1:  hlt
    jmp     1b
    guest_end halt
