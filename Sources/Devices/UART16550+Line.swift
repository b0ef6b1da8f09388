// The other end of the serial line: what the host does.
extension UART16550 {
    /// Whether the guest takes characters.
    ///
    /// On a real line, what arrives while no driver listens is lost: drivers reset the FIFOs and read RBR empty when
    /// they start. A user who types ahead, or gives a script as standard input, must not lose a line to that. So
    /// characters stay with the host until the guest has said that it waits for them: it enables the interrupt
    /// (ERBFI), or it polls. Polling is known by sixteen reads of LSR that find no data with no write in between: as
    /// the transmitter is always empty, one that only sends never needs so many. The polling is over when the guest
    /// sets up the port anew or reads RBR without there being data.
    public var isListening: Bool {
        state.interruptEnable.contains(.receivedDataAvailable) || state.isPolled
    }

    /// Whether a guest that listens may still be starting its driver, which empties the receiver: it neither polls nor
    /// has it said by DTR that it is ready (xv6 never does).
    public var mayBeStarting: Bool {
        !state.isPolled && !state.modemControl.contains(.dataTerminalReady)
    }

    /// How many characters `receive` takes now: 0 to 16.
    ///
    /// Without FIFOs there is room for one; in loopback, or while the guest does not listen, for none.
    public var receiveCapacity: Int {
        guard isListening, !isLoopedBack else { return 0 }
        // Turning the FIFOs off empties them, so there is never more than one character without them.
        return max(0, (state.fifosEnabled ? ReceiveFIFO.depth : 1) - state.receiver.count)
    }

    /// Whether everything given has been read and more is taken. Its change to true is what the source is told.
    var isReadyForMore: Bool { state.receiver.isEmpty && receiveCapacity > 0 }

    /// Takes characters from the other end, as far as there is room. None that is taken is lost to an overrun.
    ///
    /// When not all are taken, the source's `receiverHasRoom` follows once the guest has read what was, so no more
    /// than one call per sixteen characters is needed.
    /// - Parameter bytes: the characters, in the order of their arrival.
    /// - Returns: how many were taken, from the first on: 0 to 16.
    @discardableResult
    public func receive(_ bytes: Span<UInt8>) -> Int {
        let count = min(bytes.count, receiveCapacity)
        for index in 0..<count {
            takeFromLine(bytes[index])
        }
        accessEnded()
        return count
    }

    /// Takes a break from the other end: a character 0 that LSR marks with BI.
    /// - Returns: whether there was room for it.
    @discardableResult
    public func receiveBreak() -> Bool {
        guard receiveCapacity > 0 else { return false }
        takeFromLine(0, isBreak: true)
        accessEnded()
        return true
    }

    /// Sets the modem lines that the other end drives.
    /// - Parameter lines: CTS, DSR, RI and DCD; the marks of changes in it are ignored.
    public func setModemInputs(_ lines: ModemStatus) {
        changeModemLines { $0.modemInputs = lines.intersection(.lines) }
        accessEnded()
    }

    /// Whether the guest holds the line at break (LCR bit 6). In loopback the pin stays at marking.
    public var isSendingBreak: Bool { state.lineControl.contains(.setBreak) && !isLoopedBack }

    /// A character has reached the receiver's shift register.
    func takeFromLine(_ character: UInt8, isBreak: Bool = false) {
        if state.fifosEnabled {
            // A full FIFO keeps its characters, and the one in the shift register is lost (data sheet 8.6, OE).
            guard state.receiver.append(character, isBreak: isBreak) else {
                state.lineErrors.insert(.overrunError)
                return
            }
        } else {
            // Without FIFOs the new character takes the place of the unread one.
            if !state.receiver.isEmpty {
                state.lineErrors.insert(.overrunError)
                state.receiver.removeAll()
            }
            state.receiver.append(character, isBreak: isBreak)
        }
        noteErrorOfFirstCharacter()
    }

    /// LSR shows the errors of the character that is read next (data sheet 8.6).
    func noteErrorOfFirstCharacter() {
        if state.receiver.firstIsBreak {
            state.lineErrors.insert(.breakInterrupt)
        }
    }
}
