import Runtime
import State
import Testing

@Suite struct StateRegistryTests {
    private static func registry(_ names: [String]) -> StateRegistry {
        var registry = StateRegistry()
        for name in names {
            registry.register(name, fingerprint: "of \(name)", namespace: registry.namespace(for: name, besides: []))
        }
        return registry
    }

    @Test func whatWasStoredKeepsItsNumbersAndWhatIsNewGetsOthers() {
        var registry = StateRegistry(extras: Self.registry(["a", "b"]).extras)
        #expect(registry.namespace(for: "b", besides: []) == 24)
        #expect(registry.namespace(for: "new", besides: [40]) == 48)
        registry.register("a", fingerprint: "of a", namespace: 16)
        registry.register("b", fingerprint: "of something else", namespace: 24)
        #expect(registry.conflicts == [.init(name: "b", was: "of b", now: "of something else")])
    }

    @Test func numbersOfDroppedStateAreNeverGivenOutAgain() {
        var registry = StateRegistry(extras: Self.registry(["a", "b"]).extras).dropping(["b"])
        #expect(registry.namespace(for: "b", besides: []) == 32)
        registry.register("a", fingerprint: "of a", namespace: 16)
        #expect(registry.conflicts.isEmpty)
        // Removed from the job: only what was dropped knows of it, also in the next life.
        let next = StateRegistry(extras: registry.extras)
        #expect(next.namespace(for: "c", besides: []) == 32)
        #expect(next.stored.keys.sorted() == ["a"])
        #expect(next.dropped == ["b": "of b"])
        #expect(next.deletions.isEmpty)
    }

    @Test func droppingDeletesEveryNamespaceOfWhatIsDroppedAndNoOther() {
        var deleted: [UInt16] = []
        StateRegistry(extras: Self.registry(["a", "b"]).extras).dropping(["b"]).deletions.forEach { change in
            #expect(change.kind == .deletePrefix && change.key.isEmpty)
            deleted.append(change.namespace)
        }
        #expect(deleted == Array(24..<32))
    }

    @Test func theSavepointItCameFromStaysKnown() {
        var registry = StateRegistry()
        registry.savepoint = SavepointName(job: "shop", id: "1")
        #expect(StateRegistry(extras: registry.extras).savepoint?.description == "shop/1")
        #expect(StateRegistry(extras: [:]).savepoint == nil)
    }
}
