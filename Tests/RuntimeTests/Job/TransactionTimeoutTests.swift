import Runtime
import Testing

@Suite struct TransactionTimeoutTests {
    @Test func aCommitThatTookAllItsTimeGetsTwiceAsMuchNextTime() {
        let timeout = TransactionTimeout()
        #expect(timeout.current == .seconds(10))
        timeout.failed(after: .seconds(9))
        #expect(timeout.current == .seconds(10))
        timeout.failed(after: .seconds(10))
        #expect(timeout.current == .seconds(20))
        timeout.failed(after: .seconds(12))
        #expect(timeout.current == .seconds(20))
    }

    @Test func itEndsAtWhatBrokersAllow() {
        let timeout = TransactionTimeout()
        for _ in 0..<20 { timeout.failed(after: .seconds(3_600)) }
        #expect(timeout.current == TransactionTimeout.longest)
        #expect(timeout.current < .seconds(900))
    }
}
