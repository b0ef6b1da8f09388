import Foundation
import Machine
import Monitor
import Testing

@Suite struct StatisticsTests {
    private func record(_ kind: ExitKind, _ address: UInt64 = 0, vcpu: UInt32 = 0) -> ExitRecord {
        var record = ExitRecord()
        record.kind = kind
        record.address = address
        record.vcpu = vcpu
        record.guestNanoseconds = 1000
        record.monitorNanoseconds = 500
        return record
    }

    @Test func render_ofAFewExits_sortsThemByCount() {
        let statistics = Statistics(vcpus: 2)
        statistics.observe(record(.halt, vcpu: 1))
        for _ in 0..<3 { statistics.observe(record(.portIn, 0x3FD)) }
        for _ in 0..<12 { statistics.observe(record(.portOut, 0x3F8)) }
        statistics.observe(record(.portOut, 0x80, vcpu: 9))
        #expect(
            statistics.summary().render() == """
                exits by reason                             count    share    monitor       each
                OUT                                            12   75.0 %    6000 ns     500 ns
                IN                                              3   18.8 %    1500 ns     500 ns
                HLT                                             1    6.3 %     500 ns     500 ns
                all                                            16  100.0 %    8000 ns     500 ns

                exits by port, address or MSR               count    share    monitor       each
                OUT 0x3F8 COM1 THR                             12   75.0 %    6000 ns     500 ns
                IN 0x3FD COM1 LSR                               3   18.8 %    1500 ns     500 ns

                vCPU                                        exits             monitor      guest
                cpu0                                           15             7500 ns    15.0 us
                cpu1                                            1              500 ns    1000 ns

                """)
    }

    @Test func observe_manyAddresses_countsTheRestAsOthers() {
        let statistics = Statistics(vcpus: 1)
        for address in 0..<100_000 as Range<UInt64> { statistics.observe(record(.mmioWrite, address << 24)) }
        let summary = statistics.summary()
        #expect(summary.places.count <= Statistics.capacity)
        #expect(summary.places.count > Statistics.capacity / 2)
        #expect(summary.others.exits + UInt64(summary.places.count) == 100_000)
        #expect(summary.kinds[.mmioWrite]?.exits == 100_000)
        let text = summary.render()
        #expect(text.contains("others"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func observe_extremeValues_neitherTrapsNorWidens() {
        let statistics = Statistics(vcpus: 1)
        for kind in ExitKind.allCases {
            var record = record(kind, .max)
            record.guestNanoseconds = .max
            record.monitorNanoseconds = .max
            statistics.observe(record)
        }
        #expect(statistics.summary().render().split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func observe_fourVCPUsWhileRead_losesNothing() {
        let statistics = Statistics(vcpus: 4)
        DispatchQueue.concurrentPerform(iterations: 5) { vcpu in
            for address in 0..<5000 as Range<UInt64> {
                if vcpu == 4 {
                    if address % 100 == 0 { _ = statistics.summary() }
                } else {
                    statistics.observe(record(.portOut, address % 50, vcpu: UInt32(vcpu)))
                }
            }
        }
        let summary = statistics.summary()
        #expect(summary.kinds[.portOut]?.exits == 20_000)
        #expect(summary.places.values.reduce(0) { $0 + $1.exits } == 20_000)
        #expect(summary.vcpus.map(\.exits) == [5000, 5000, 5000, 5000])
    }
}
