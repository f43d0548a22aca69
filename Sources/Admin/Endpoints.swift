import Foundation
import Runtime
import State
import Telemetry

/// What DESIGN §6 promises under HTTP, over the jobs of a daemon (none for a log alone).
package struct Endpoints: Sendable {
    private let jobs: [JobRunner]
    private let metrics: MetricsRegistry
    private let logNotReady: @Sendable () -> String?

    /// - Parameter logNotReady: why the embedded log cannot be used; nil when it can, or when there is none.
    package init(jobs: [JobRunner], metrics: MetricsRegistry, logNotReady: @escaping @Sendable () -> String? = { nil }) {
        self.jobs = jobs
        self.metrics = metrics
        self.logNotReady = logNotReady
    }

    package func respond(_ method: String, _ path: String) -> HTTPResponse {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        switch (method, parts) {
        case ("GET", []): return HTTPResponse(.html, Dashboard.page)
        case ("GET", ["healthz"]): return HTTPResponse(.text, "alive\n")
        case ("GET", ["readyz"]): return ready()
        case ("GET", ["metrics"]): return HTTPResponse(.metrics, metrics.render())
        case ("GET", ["api", "jobs"]):
            return HTTPResponse(.json, "[" + jobs.map { StatusText.json($0.board.current, withPlan: false) }.joined(separator: ",") + "]\n")
        case ("GET", let parts) where parts.count == 3 && parts[0] == "api" && parts[1] == "jobs":
            guard let job = job(parts[2]) else { return unknown(parts[2]) }
            return HTTPResponse(.json, StatusText.json(job.board.current, withPlan: true) + "\n")
        case ("POST", let parts) where parts.count == 4 && parts[0] == "api" && parts[1] == "jobs" && parts[3] == "checkpoint":
            guard let job = job(parts[2]) else { return unknown(parts[2]) }
            guard let epoch = job.commitNow(timeout: 10) else {
                let reason = job.board.current.notReady ?? "the commit takes longer than 10 s"
                return HTTPResponse(status: 503, .json, "{\"error\":\(JSONText.quoted(reason))}\n")
            }
            return HTTPResponse(.json, "{\"epoch\":\(epoch)}\n")
        case ("POST", let parts) where parts.count == 4 && parts[0] == "api" && parts[1] == "jobs" && parts[3] == "savepoint":
            guard let job = job(parts[2]) else { return unknown(parts[2]) }
            return savepoint(of: job)
        case ("GET", _), ("HEAD", _), ("POST", _):
            return HTTPResponse(status: 404, .json, "{\"error\":\"there is nothing here; see /, /healthz, /readyz, /metrics, /api/jobs\"}\n")
        default:
            return HTTPResponse(status: 405, .json, "{\"error\":\"only GET, and POST for a checkpoint or a savepoint\"}\n")
        }
    }

    private func savepoint(of job: JobRunner) -> HTTPResponse {
        do throws(StateError) {
            let savepoint = try job.takeSavepoint()
            return HTTPResponse(.json, "{\"id\":\(JSONText.quoted(savepoint.id)),\"bytes\":\(savepoint.byteCount)}\n")
        } catch {
            return HTTPResponse(status: 503, .json, "{\"error\":\(JSONText.quoted(error.description))}\n")
        }
    }

    private func job(_ name: String) -> JobRunner? {
        jobs.first { $0.board.current.name == name }
    }

    private func unknown(_ name: String) -> HTTPResponse {
        HTTPResponse(
            status: 404, .json,
            "{\"error\":\(JSONText.quoted("there is no job \(name); jobs: \(jobs.map { $0.board.current.name }.joined(separator: ", "))"))}\n")
    }

    private func ready() -> HTTPResponse {
        var reasons: [String] = []
        if let reason = logNotReady() { reasons.append("log: \(reason)") }
        for job in jobs {
            let status = job.board.current
            if let reason = status.notReady { reasons.append("job \(status.name): \(reason)") }
        }
        return reasons.isEmpty
            ? HTTPResponse(.text, "ready\n") : HTTPResponse(status: 503, .text, reasons.map { $0 + "\n" }.joined())
    }
}
