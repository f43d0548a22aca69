import Dispatch
import Synchronization

/// Does `body` for each of `inputs`, up to `width` of them at the same time, and gives the results in their order. It may wait in there, also for
/// what it does in parallel itself.
/// With a width of 1 everything is done by the caller's thread, in order. After a failure nothing more is begun; it is thrown when
/// what was under way has ended.
package func inParallel<Input: Sendable, Output: Sendable, Failure: Error>(
    _ inputs: [Input], width: Int, _ body: @escaping @Sendable (Input) throws(Failure) -> Output
) throws(Failure) -> [Output] {
    if width <= 1 || inputs.count <= 1 {
        var outputs: [Output] = []
        for input in inputs { outputs.append(try body(input)) }
        return outputs
    }
    let progress = Mutex((next: 0, outputs: [Output?](repeating: nil, count: inputs.count), failure: Failure?.none))
    let group = DispatchGroup()
    for _ in 0..<min(width, inputs.count) {
        group.enter()
        WaitingThreads.shared.run {
            defer { group.leave() }
            while true {
                let index = progress.withLock { progress -> Int? in
                    guard progress.failure == nil, progress.next < inputs.count else { return nil }
                    progress.next += 1
                    return progress.next - 1
                }
                guard let index else { return }
                do throws(Failure) {
                    let output = try body(inputs[index])
                    progress.withLock { $0.outputs[index] = output }
                } catch {
                    progress.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
    }
    group.wait()
    return try progress.withLock { progress throws(Failure) in
        if let failure = progress.failure { throw failure }
        return progress.outputs.compactMap { $0 }
    }
}
