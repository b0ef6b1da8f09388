import KVM
import Testing

@Suite struct EventTests {
    private static let portWriter: [UInt8] = [
        0xBA, 0x10, 0x05,  // mov dx,0x510
        0xB8, 0x11, 0x11,  // mov ax,0x1111
        0xEF,  // out dx,ax
        0xB8, 0x22, 0x22,  // mov ax,0x2222
        0xEF,  // out dx,ax
        0xEE,  // out dx,al
        0xF4,  // hlt
    ]

    @Test func connectEvent_port_signalsInsteadOfLeaving() throws {
        let guest = try TinyGuest(Self.portWriter)
        let event = Event()
        try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: .port(0x510, width: 2))
        // The byte is not of this width.
        let exits = try guest.all()
        #expect(exits == [.out(0x510, [0x22]), .halt])
        let count = event.take()
        #expect(count == 2)

        try guest.machine.disconnectEvent(eventDescriptor: event.descriptor, from: .port(0x510, width: 2))
        try guest.start(at: 0x1000)
        let exitsAfter = try guest.all()
        #expect(exitsAfter.count == 4)
        let countAfter = event.take()
        #expect(countAfter == 0)
    }

    @Test func connectEvent_match_signalsForThatValueOnly() throws {
        let guest = try TinyGuest(Self.portWriter)
        let first = Event()
        let second = Event()
        try guest.machine.connectEvent(eventDescriptor: first.descriptor, to: .port(0x510, width: 2), match: 0x2222)
        try guest.machine.connectEvent(eventDescriptor: second.descriptor, to: .port(0x510, width: 1), match: 0x23)
        let exits = try guest.all()
        #expect(exits == [.out(0x510, [0x1111]), .out(0x510, [0x22]), .halt])
        let counts = [first.take(), second.take()]
        #expect(counts == [1, 0])
        try guest.machine.disconnectEvent(
            eventDescriptor: first.descriptor, from: .port(0x510, width: 2), match: 0x2222)
    }

    @Test func connectEvent_anyWidth_signalsForEach() throws {
        let guest = try TinyGuest(Self.portWriter)
        let event = Event()
        let connect = { try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: .port(0x510, width: 0)) }
        guard has(.ioeventfdAnyLength, guest.machine, otherwise: connect) else { return }
        try connect()
        let exits = try guest.all()
        #expect(exits == [.halt])
        let count = event.take()
        #expect(count == 3)
    }

    @Test func connectEvent_memory_signalsInsteadOfLeaving() throws {
        let guest = try TinyGuest([
            0xB8, 0x00, 0xD0,  // mov ax,0xd000
            0x8E, 0xD8,  // mov ds,ax
            0x66, 0xC7, 0x06, 0x10, 0x00, 0x05, 0x00, 0x00, 0x00,  // mov dword [0x10],5
            0x66, 0xC7, 0x06, 0x10, 0x00, 0x06, 0x00, 0x00, 0x00,  // mov dword [0x10],6
            0xF4,  // hlt
        ])
        let event = Event()
        try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: .memory(0xD0010, width: 4), match: 6)
        let exits = try guest.all()
        #expect(exits == [.mmioWrite(0xD0010, 5, width: 4), .halt])
        let count = event.take()
        #expect(count == 1)
    }

    @Test func connectEvent_wrongUse_isATypedError() throws {
        let guest = try TinyGuest([])
        let event = Event()
        try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: .port(0x510, width: 2))
        let taken = #expect(throws: KVMError.self) {
            try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: .port(0x510, width: 2))
        }
        #expect(taken?.errno == 17)
        for address: EventAddress in [.port(0x510, width: 3), .memory(0xD0000, width: 5)] {
            let error = #expect(throws: KVMError.self) {
                try guest.machine.connectEvent(eventDescriptor: event.descriptor, to: address)
            }
            #expect(error?.errno == 22)
        }
        let missing = #expect(throws: KVMError.self) {
            try guest.machine.disconnectEvent(eventDescriptor: event.descriptor, from: .port(0x999, width: 2))
        }
        #expect(missing?.hint == "it is not connected like this")
        let closed = #expect(throws: KVMError.self) {
            try guest.machine.connectEvent(eventDescriptor: 1 << 20, to: .port(0x520, width: 2))
        }
        #expect(closed?.hint == "a file descriptor given is not open")
    }
}
