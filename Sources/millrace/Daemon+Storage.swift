import Foundation
import JobFile
import State

extension Daemon {
    /// The checkpoint storage that the daemon file names.
    func openStorage() throws(StateError) -> any CheckpointStorage {
        switch settings.checkpoint.storage {
        case .directory(let path): return try DirectoryStorage(root: path)
        case .s3(let bucket, let prefix):
            let environment = S3Environment(ProcessInfo.processInfo.environment)
            let s3 = settings.checkpoint.s3
            let location = S3Location(
                bucket: bucket, region: s3.region ?? environment.region ?? "us-east-1", endpoint: s3.endpoint ?? environment.endpoint,
                usesPathStyle: s3.usesPathStyle)
            return S3Storage(location, prefix: prefix, environment: environment)
        }
    }
}
