import Foundation
import Glibc

/// Objects by their keys: whole, in parts, listed, deleted.
extension S3Client {
    /// Above this an upload goes in parts, each of which can fail and be sent again by itself. S3 takes 10,000 parts of 5 MiB to 5 GiB.
    static let partBytes = 32 << 20

    func put(_ bytes: [UInt8], as key: String) throws(StateError) {
        _ = try perform(Call(method: "PUT", key: key, body: .bytes(bytes)))
    }

    /// - Returns: nil when there is no such object.
    func get(_ key: String, limit: Int) throws(StateError) -> [UInt8]? {
        let response = try perform(Call(method: "GET", key: key, target: .memory(limit: limit), mayBeMissing: true))
        guard response.status != 404 else {
            try refuseMissingBucket(response, key)
            return nil
        }
        return response.body
    }

    /// Puts an object into a new local file.
    /// - Returns: its SHA-256 in hexadecimal; nil when there is no such object.
    func get(_ key: String, to path: String) throws(StateError) -> String? {
        let response = try perform(Call(method: "GET", key: key, target: .file(path), mayBeMissing: true))
        guard response.status != 404 else {
            try refuseMissingBucket(response, key)
            return nil
        }
        guard let hash = response.fileHash else { preconditionFailure("an answer that went to a file has a hash") }
        return SHA256.hex(hash)
    }

    /// Copies an object within the bucket, in the store. S3 takes up to 5 GiB in one request, many times what a table file has.
    func copy(_ key: String, to target: String) throws(StateError) {
        let source = "/\(S3Signature.encoded(location.bucket))/\(S3Signature.encoded(key, isPath: true))"
        let response = try perform(Call(method: "PUT", key: target, headers: [("x-amz-copy-source", source)], body: .bytes([])))
        // S3 may send 200 before it knows: an error comes in the body.
        guard S3XML.parse(response.body)?.name == "CopyObjectResult" else { throw unexpected("the result of a copy", target) }
    }

    func delete(_ key: String) throws(StateError) {
        _ = try perform(Call(method: "DELETE", key: key, mayBeMissing: true))
    }

    struct Listed {
        var key: String
        var bytes: Int
        /// Seconds since 1970, by the store's clock.
        var modified: Int
    }

    /// Objects whose keys begin with `prefix`, by key.
    func list(prefix: String) throws(StateError) -> [Listed] {
        var found: [Listed] = []
        var token: String?
        repeat {
            var query = [("list-type", "2"), ("prefix", prefix)]
            if let token { query.append(("continuation-token", token)) }
            let response = try perform(Call(method: "GET", query: query))
            guard let page = S3XML.parse(response.body), page.name == "ListBucketResult" else {
                throw unexpected("a list of objects", prefix)
            }
            for entry in page.all("Contents") {
                guard let key = entry.text("Key"), let bytes = entry.text("Size").flatMap({ Int($0) }),
                    let modified = entry.text("LastModified").flatMap(S3Dates.iso)
                else { throw unexpected("objects with key, size and date", prefix) }
                found.append(Listed(key: key, bytes: bytes, modified: modified))
            }
            token = page.text("IsTruncated") == "true" ? page.text("NextContinuationToken") : nil
        } while token != nil
        return found
    }

    /// Stores a local file; `hash` is its SHA-256 in hexadecimal.
    func put(file path: String, bytes: Int, hash: String, as key: String) throws(StateError) {
        guard bytes > Self.partBytes else {
            _ = try perform(Call(method: "PUT", key: key, body: .file(path, offset: 0, count: bytes), payloadHash: hash))
            return
        }
        let started = try perform(Call(method: "POST", key: key, query: [("uploads", "")], body: .bytes([])))
        guard let upload = S3XML.parse(started.body)?.text("UploadId") else { throw unexpected("the id of an upload", key) }
        do throws(StateError) {
            let size = max(Self.partBytes, (bytes + 9_999) / 10_000)
            var parts = ""
            for (index, offset) in stride(from: 0, to: bytes, by: size).enumerated() {
                let query = [("partNumber", "\(index + 1)"), ("uploadId", upload)]
                let body = HTTPRequest.Body.file(path, offset: offset, count: min(size, bytes - offset))
                let response = try perform(Call(method: "PUT", key: key, query: query, body: body))
                guard let tag = response.headers["etag"] else { throw unexpected("the tag of a part", key) }
                let escaped = tag.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
                parts += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(escaped)</ETag></Part>"
            }
            let body = Array("<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>".utf8)
            let response = try perform(Call(method: "POST", key: key, query: [("uploadId", upload)], body: .bytes(body)))
            // S3 sends 200 before it knows: an error comes in the body.
            guard S3XML.parse(response.body)?.name == "CompleteMultipartUploadResult" else { throw unexpected("the end of an upload", key) }
        } catch {
            _ = try? perform(Call(method: "DELETE", key: key, query: [("uploadId", upload)], mayBeMissing: true))
            throw error
        }
    }

    private func unexpected(_ what: String, _ key: String) -> StateError {
        StateError(
            .inputOutput, "s3://\(location.bucket)/\(key)", "expected \(what), the answer is something else",
            remedy: "is the endpoint an S3 store? It will be tried again")
    }

    /// A missing object is an answer; a missing bucket is not.
    private func refuseMissingBucket(_ response: HTTPResponse, _ key: String) throws(StateError) {
        if S3XML.parse(response.body)?.text("Code") == "NoSuchBucket" {
            throw StateError(
                .inputOutput, "s3://\(location.bucket)/\(key)", "there is no bucket \(location.bucket)",
                remedy: "create the bucket, or correct `checkpoint.storage`; will be tried again")
        }
    }
}
