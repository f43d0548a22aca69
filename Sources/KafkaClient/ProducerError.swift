/// Why a producer did not do what was asked, and what the caller has to do about it.
package struct ProducerError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Remedy: Sendable, Equatable {
        /// This instance is done for (fenced by a newer one, not authorised, a gap in its sequence): close it and recover.
        case fatal
        /// The transaction cannot be committed any more: `abort` it and do its work again.
        case abortable
        /// Nothing has changed: call again, with the same arguments.
        case retriable
        /// The transaction may be committed or not. Never guess: call `commit` again while `cause.isRetriable`, or make
        /// a new producer with the same transactional id, whose `initTransactions` settles it, and read what is committed.
        case outcomeUnknown
        /// This call is refused and would be again (a record too large, an unknown partition, a call out of order). The
        /// transaction and what is already in it are unharmed.
        case rejected
    }

    package var remedy: Remedy
    package var cause: KafkaClientError

    package init(_ remedy: Remedy, _ cause: KafkaClientError) {
        self.remedy = remedy
        self.cause = cause
    }

    package var code: Int32 { cause.code }
    package var description: String { "\(cause) [\(remedy)]" }

    /// By the flags that librdkafka gives a transactional call's error.
    init(flagsOf cause: KafkaClientError) {
        if cause.isFatal {
            self.init(.fatal, cause)
        } else if cause.requiresAbort {
            self.init(.abortable, cause)
        } else if cause.isRetriable || cause.isTimeout {
            self.init(.retriable, cause)
        } else {
            self.init(.rejected, cause)
        }
    }
}
