import Architecture
import RISCV

/// The harts besides the one that the firmware boots.
enum SecondaryHarts {
    /// Each hart's stack, above a page that is not mapped, its guard, and below its emergency stack.
    private static let stackPages = 16
    private static let emergencyPages = 4

    /// Starts them all; one that does not start is told of and left out.
    static func start(_ hypervisor: Hypervisor, except bootHart: UInt64) {
        for id in hypervisor.platform.harts where id != bootHart {
            guard let hart = makeHart(id, hypervisor) else {
                Console.line("hypervisor: there is no memory left for hart \(id)")
                return
            }
            let entry = unsafe UInt64(UInt(bitPattern: secondary_entry_address()))
            if SBIFirmware.startHart(id, address: entry, argument: hart) {
                hypervisor.hartMask |= 1 << id
            } else {
                Console.line("hypervisor: the firmware does not start hart \(id)")
            }
        }
    }

    /// A `struct hart` with its stacks; its address.
    private static func makeHart(_ id: UInt64, _ hypervisor: Hypervisor) -> UInt64? {
        let count = 1 + stackPages + emergencyPages + 1
        guard let guardPage = hypervisor.pages.allocatePages(count, alignment: pageSize),
            let record = unsafe UnsafeMutablePointer<hart>(
                bitPattern: UInt(guardPage + UInt64(count - 1) * pageSize))
        else { return nil }
        do throws(GStageError) {
            try hypervisor.pageTable.set(from: guardPage, to: guardPage + pageSize, permissions: [])
        } catch {
            return nil
        }
        sfence_vma_all()
        unsafe record.pointee.satp = hypervisor.pageTable.satp
        let stackTop = guardPage + UInt64(1 + stackPages) * pageSize
        unsafe record.pointee.stack_top = stackTop
        unsafe record.pointee.emergency_stack_top = stackTop + UInt64(emergencyPages) * pageSize
        unsafe record.pointee.id = id
        unsafe record.pointee.stack_guard = guardPage
        // Kept for good: the hart runs for as long as the machine does.
        unsafe record.pointee.context = UInt64(UInt(bitPattern: Unmanaged.passRetained(hypervisor).toOpaque()))
        return UInt64(UInt(bitPattern: record))
    }
}

/// Where entry.S goes on on a hart that HSM has started.
@c(secondary_main) func secondaryMain(_ hart: UnsafeMutablePointer<hart>) {
    guard let context = unsafe UnsafeRawPointer(bitPattern: UInt(hart.pointee.context)) else { return }
    // The lock comes before the object's reference count is touched.
    let hypervisor = unsafe Unmanaged<Hypervisor>.fromOpaque(context)
    unsafe hypervisor._withUnsafeGuaranteedRef { $0.acquire() }
    var loop = unsafe HartLoop(hypervisor: hypervisor.takeUnretainedValue(), hart: Int(hart.pointee.id))
    loop.run()
}
