import KafkaClient

/// Whether a broker answers, asked when the consumer has reported trouble: a job that has nothing to commit would otherwise
/// not notice that it can neither read nor commit.
struct Reachability {
    private static let pause = Duration.seconds(1)
    private static let patience = Duration.milliseconds(300)

    /// Nil while there is no reason to ask.
    private var nextQuestion: ContinuousClock.Instant?
    /// What it says on the board while no broker answers, and what stood there otherwise.
    private var said: String?
    private var before: String?

    /// Something went wrong with a connection: find out whether it still is.
    mutating func suspect(_ now: ContinuousClock.Instant) {
        nextQuestion = nextQuestion ?? now
    }

    /// Asks if it is time to, and says on the board what came of it. Takes up to 0.3 s when no broker answers.
    mutating func look(_ consumer: any GroupConsumer, _ topic: String, _ board: JobStatusBoard, _ now: ContinuousClock.Instant) {
        guard let due = nextQuestion, now >= due else { return }
        do throws(KafkaClientError) {
            _ = try consumer.partitionCount(of: topic, timeout: Self.patience)
            nextQuestion = nil
            guard let said = said.take() else { return }
            board.update {
                $0.phase = .running
                if $0.notReady == said { $0.notReady = before }
            }
        } catch {
            nextQuestion = now + Self.pause
            let other = board.current.notReady
            if other != said || said == nil { before = other }
            let reason = "no broker answers: \(error)"
            said = reason
            board.update {
                $0.phase = .waiting(reason)
                $0.notReady = reason
            }
        }
    }
}
