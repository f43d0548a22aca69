import Runtime
import Testing

private func block(_ upstream: Int32, of upstreams: Int32, at watermark: Int64) -> ShuffleBlock {
    ShuffleBlock(upstream: upstream, upstreams: upstreams, content: .none, rows: 0, watermark: watermark, fingerprint: 7)
}

struct UpstreamWatermarksTests {
    @Test func thereIsNoWatermarkUntilEveryTaskAboveHasSaidOne() {
        var upstream = UpstreamWatermarks()
        #expect(upstream.smallest == EventTimeRange.noWatermark)
        upstream.note(block(0, of: 3, at: 10))
        upstream.note(block(2, of: 3, at: 30))
        #expect(upstream.smallest == EventTimeRange.noWatermark)
        upstream.note(block(1, of: 3, at: 20))
        #expect(upstream.smallest == 10)
        upstream.note(block(0, of: 3, at: 40))
        #expect(upstream.smallest == 20)
    }

    @Test func aTaskThatStartsOverTakesNothingBack() {
        var upstream = UpstreamWatermarks()
        upstream.note(block(0, of: 1, at: 40))
        upstream.note(block(0, of: 1, at: EventTimeRange.noWatermark))
        #expect(upstream.smallest == 40)
    }

    @Test func partitionsThatAreAddedAboveHoldItUntilTheySpeak() {
        var upstream = UpstreamWatermarks()
        upstream.note(block(0, of: 1, at: 40))
        upstream.note(block(0, of: 2, at: 50))
        #expect(upstream.smallest == EventTimeRange.noWatermark)
        upstream.note(block(1, of: 2, at: 45))
        // Somebody who has not yet heard of the new partition.
        upstream.note(block(0, of: 1, at: 60))
        #expect(upstream.smallest == 45)
    }

    @Test func itIsAfterARecoveryWhatItWas() {
        var upstream = UpstreamWatermarks()
        upstream.note(block(1, of: 3, at: 5))
        upstream.note(block(0, of: 3, at: 7))
        var entries = upstream.entries(of: "job.by_url.shuffle")
        // The task's own, and another topic whose name begins alike.
        entries["job.by_url.shuffle"] = 99
        entries["job.by_url.shuffle2<2"] = 99
        var again = UpstreamWatermarks(entries, of: "job.by_url.shuffle")
        #expect(again.smallest == EventTimeRange.noWatermark)
        again.note(block(2, of: 3, at: 6))
        #expect(again.smallest == 5)
    }
}

struct ShuffleBlockTests {
    private static let whole = ShuffleBlock(
        upstream: 3, upstreams: 12, content: .rows, rows: 4_711, watermark: -5, fingerprint: 0xFEDC_BA98_7654_3210)

    private static func bytes(_ block: ShuffleBlock) -> [UInt8] {
        var bytes: [UInt8] = []
        block.append(to: &bytes)
        return bytes
    }

    @Test func aHeaderIsReadAsItWasWritten() throws {
        let bytes = Self.bytes(Self.whole)
        #expect(bytes.count == ShuffleBlock.headerBytes)
        let read = try #require(bytes.withUnsafeBytes { ShuffleBlock($0) })
        #expect(
            (read.upstream, read.upstreams, read.content, read.rows, read.watermark) == (3, 12, .rows, 4_711, -5)
                && read.fingerprint == 0xFEDC_BA98_7654_3210)
    }

    @Test func whatIsNoBlockIsRefused() {
        let bytes = Self.bytes(Self.whole)
        for count in 0..<bytes.count { #expect(bytes[..<count].withUnsafeBytes { ShuffleBlock($0) } == nil) }
        for (place, value) in [(0, 0), (4, 2), (5, 9), (9, 0x80), (6, 12), (13, 0x7F), (17, 0x80)] as [(Int, UInt8)] {
            var broken = bytes
            broken[place] = value
            #expect(broken.withUnsafeBytes { ShuffleBlock($0) } == nil, "byte \(place)")
        }
        #expect([UInt8]("{\"user\": \"somebody who writes JSON here\"}".utf8).withUnsafeBytes { ShuffleBlock($0) } == nil)
    }
}

@Test func theJobsLedgerBalancesOnceWhatWentThroughAShuffleHasItsFate() {
    var above = Ledger()
    (above.consumed, above.aggregated, above.filtered, above[.late]) = (100, 90, 7, 3)
    var below = Ledger()
    (below.consumed, below.aggregated, below.duplicate) = (90, 70, 20)
    #expect(above.isBalanced && below.isBalanced)
    var job = above
    job += below.belowShuffle
    #expect(job.isBalanced && (job.consumed, job.aggregated, job.filtered, job.duplicate) == (100, 70, 7, 20))
}
