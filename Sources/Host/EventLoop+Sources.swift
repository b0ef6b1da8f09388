internal import CHost
internal import Glibc

extension EventLoop {
    /// Watches a descriptor.
    /// - Parameters:
    ///   - descriptor: stays open, and stays the caller's, until the source is removed.
    ///   - interest: what to wait for; empty waits for a hang-up only.
    ///   - handler: called on the loop's thread for as long as the condition lasts (level-triggered). A hang-up
    ///     lasts: remove the source then.
    /// - Returns: the source's name for `change` and `remove`.
    @discardableResult
    public func add(
        _ descriptor: Int32, _ interest: Interest, handler: @escaping (Event) -> Void
    ) throws(HostError) -> Source {
        let index: Int
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = slots.count
            slots.append(Slot(descriptor: -1, generation: 0, interest: [], isAlwaysReady: false, handler: nil))
            freeSlots.reserveCapacity(slots.count)
        }
        let source = Source(index: index, generation: slots[index].generation)
        var event = EventLoop.event(for: source, interest)
        var isAlwaysReady = false
        if epoll_ctl(epoll.rawValue, EPOLL_CTL_ADD, descriptor, &event) != 0 {
            guard errno == EPERM else {
                let reason = errno
                freeSlots.append(index)
                throw HostError("watch", "descriptor \(descriptor)", errno: reason)
            }
            isAlwaysReady = true
        }
        slots[index].descriptor = descriptor
        slots[index].interest = interest
        slots[index].isAlwaysReady = isAlwaysReady
        slots[index].handler = handler
        if isAlwaysReady, !interest.isEmpty { alwaysReadyCount += 1 }
        return source
    }

    /// Waits for something else from now on. A source that was removed is left alone.
    public func change(_ source: Source, to interest: Interest) throws(HostError) {
        guard isCurrent(source), slots[source.index].interest != interest else { return }
        let slot = slots[source.index]
        if slot.isAlwaysReady {
            alwaysReadyCount += (interest.isEmpty ? 0 : 1) - (slot.interest.isEmpty ? 0 : 1)
        } else {
            var event = EventLoop.event(for: source, interest)
            guard epoll_ctl(epoll.rawValue, EPOLL_CTL_MOD, slot.descriptor, &event) == 0 else {
                throw HostError("watch", "descriptor \(slot.descriptor)", errno: errno)
            }
        }
        slots[source.index].interest = interest
    }

    /// Forgets a source: its handler is not called again, not even for an event that is already there.
    /// The descriptor must still be open. A source that was removed before is left alone.
    public func remove(_ source: Source) {
        guard isCurrent(source) else { return }
        let slot = slots[source.index]
        if slot.isAlwaysReady {
            if !slot.interest.isEmpty { alwaysReadyCount -= 1 }
        } else {
            var unused = epoll_event()
            _ = epoll_ctl(epoll.rawValue, EPOLL_CTL_DEL, slot.descriptor, &unused)
        }
        slots[source.index] = Slot(
            descriptor: -1, generation: slot.generation &+ 1, interest: [], isAlwaysReady: false, handler: nil)
        freeSlots.append(source.index)
    }

    private func isCurrent(_ source: Source) -> Bool {
        slots.indices.contains(source.index) && slots[source.index].generation == source.generation
            && slots[source.index].handler != nil
    }

    private static func event(for source: Source, _ interest: Interest) -> epoll_event {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = UInt64(source.generation) << 32 | UInt64(source.index)
        return event
    }
}
