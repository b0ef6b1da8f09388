import KVM
import Testing

@Suite struct KVMSystemTests {
    @Test func open_missingDevice_namesPathAndRemedy() {
        let error = #expect(throws: KVMError.self) { _ = try KVMSystem(path: "/nonexistent/kvm") }
        #expect(error?.operation == "open /nonexistent/kvm")
        #expect(error?.errno == 2)
        #expect(error?.hint.contains("kvm_amd") == true)
    }

    @Test func open_fileThatIsNotKVM_saysSo() {
        let error = #expect(throws: KVMError.self) { _ = try KVMSystem(path: "/dev/null") }
        #expect(error?.operation == "KVM_GET_API_VERSION")
        #expect(error?.hint == "/dev/null is not the KVM device")
    }

    @Test func supportedCPUID_hasTheVendorLeaf() throws {
        let system = try KVMSystem()
        let entries = try system.supportedCPUID()
        #expect(entries.contains { $0.function == 0 && $0.ebx != 0 })
        #expect(system.check(.userMemory) > 0)
    }

    @Test func msrIndices_holdTheTimeStampCounter() throws {
        #expect(try KVMSystem().msrIndices().contains(0x10))
    }
}
