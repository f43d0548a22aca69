import Parquet
import Runtime
import Synchronization
import Testing

/// Staged files by name, and nothing else.
private final class StagingDirectory: FileStore {
    private let names: Mutex<Set<String>>

    init(_ names: Set<String>) { self.names = Mutex(names) }

    var left: Set<String> { names.withLock { $0 } }

    func stage(_ rows: RolledRows, as file: StagedFile) throws(ParquetError) -> StagedFile { file }

    func publish(_ file: StagedFile) throws(ParquetError) -> Bool { true }

    func staged(at path: String) -> [String] { names.withLock { $0.sorted() } }

    func removeStaged(_ name: String, at path: String) { names.withLock { _ = $0.remove(name) } }
}

struct FileSweepTests {
    private func sweep(_ names: Set<String>, upTo epoch: Int, keeping committed: Set<String> = []) -> Set<String> {
        let directory = StagingDirectory(names)
        let isLeft = FilePublisher.clean(
            directory, path: "/lake", job: "sessions", task: TaskID(source: "clicks", partition: 1), upTo: epoch, keeping: committed)
        // It says so when it leaves something of the task's for later.
        #expect(isLeft == directory.left.contains { name in name.hasPrefix("sessions-clicks-1-000000000008") })
        return directory.left
    }

    @Test func whatWasStagedUpToTheCommittedEpochAndNotCommittedGoes() {
        let stays = "sessions-clicks-1-000000000007-b-0.tmp"
        let left = sweep(
            ["sessions-clicks-1-000000000003-a-0.tmp", "sessions-clicks-1-000000000007-a-0.tmp", stays], upTo: 7,
            keeping: ["/lake/.staging/\(stays)"])
        #expect(left == [stays])
    }

    @Test func anInstanceThatReadAnOldCommitLeavesTheFilesOfTheNewOwnerAlone() {
        let name = "sessions-clicks-1-000000000008-a-0.tmp"
        #expect(sweep([name], upTo: 7) == [name])
    }

    @Test func filesOfASourceWhoseNameBeginsLikeTheTaskAreNotIts() {
        let others: Set = [
            "sessions-clicks-1-3-000000000003-a-0.tmp", "sessions-clicks-10-000000000003-a-0.tmp", "sessions-clicks-2-000000000003-a-0.tmp",
            "sessions-clicks-1-000000000003-a-0.parquet", "sessions-clicks-1-000000000003-nothex-0.tmp",
        ]
        #expect(sweep(others, upTo: 7) == others)
    }

    @Test func epochsOfMoreThanTwelveDigitsAreEpochsToo() {
        #expect(sweep(["sessions-clicks-1-1000000000003-a-0.tmp"], upTo: 1_000_000_000_003).isEmpty)
    }
}
