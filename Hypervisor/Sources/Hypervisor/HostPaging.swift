import Architecture
import RISCV

/// The hypervisor's own paging: memory and devices by their own addresses, its code read-only, all else not executable,
/// and nothing at the firmware's addresses, at 0, or below its stacks.
enum HostPaging {
    /// Makes the page table and uses it on this hart.
    static func start(_ platform: Platform, pages: PageAllocator) throws(BootFailure) -> IdentityPageTable {
        let table: IdentityPageTable
        do throws(GStageError) {
            table = try IdentityPageTable(pages: pages)
            try fill(table, platform)
        } catch {
            throw BootFailure(text: "the machine's memory cannot be mapped for the hypervisor")
        }
        write_satp(table.satp)
        guard read_satp() == table.satp else { throw BootFailure(text: "satp does not keep the mode Sv39") }
        sfence_vma_all()
        return table
    }

    private static func fill(_ table: IdentityPageTable, _ platform: Platform) throws(GStageError) {
        let usable: PageTableEntry.Flags = [.read, .write]
        for range in platform.memory + platform.devices {
            let (end, over) = range.address.addingReportingOverflow(range.size)
            guard !over else { continue }
            // What lies beyond Sv39 nobody uses.
            let last = min((end + pageSize - 1) & ~(pageSize - 1), IdentityPageTable.limit)
            let first = range.address & ~(pageSize - 1)
            if first < last { try table.set(from: first, to: last, permissions: usable) }
        }
        let start = unsafe address(hypervisor_start_address())
        let codeEnd = unsafe address(text_end_address())
        // OpenSBI, which its physical memory protection keeps from us as well.
        try table.set(from: start & ~0x1F_FFFF - 0x20_0000, to: start, permissions: [])
        try table.set(from: start, to: codeEnd, permissions: [.read, .execute])
        try table.set(from: codeEnd, to: unsafe address(rodata_end_address()), permissions: .read)
        let stackGuard = current_stack_guard()
        try table.set(from: stackGuard, to: stackGuard + pageSize, permissions: [])
    }

    @unsafe private static func address(_ symbol: UnsafeRawPointer) -> UInt64 {
        UInt64(UInt(bitPattern: symbol))
    }
}
