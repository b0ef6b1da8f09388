# Chapter 6: a guest that does nothing, for ever. That no trap comes shows that its page table is right.
    .globl guest_boot
guest_boot:
    j guest_boot
