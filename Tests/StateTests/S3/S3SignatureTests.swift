import State
import Testing

/// The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
@Suite struct S3SignatureTests {
    private let signature = S3Signature(
        credentials: S3Credentials(accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", time: 1_369_353_600)
    private let host = ("host", "examplebucket.s3.amazonaws.com")

    private func signed(
        _ method: String, _ path: String, _ query: [(String, String)] = [], _ headers: [(String, String)] = [], body: String = ""
    ) -> String {
        let all = signature.headers(
            method: method, path: S3Signature.encoded(path, isPath: true), query: query, headers: headers + [host],
            payloadHash: SHA256.hex(SHA256.hash(body)))
        return all.last.map { String($0.1.suffix(64)) } ?? ""
    }

    @Test func `requests are signed as S3 expects`() {
        #expect(
            signed("GET", "/test.txt", [], [("range", "bytes=0-9")]) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            signed(
                "PUT", "/test$file.text", [], [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                body: "Welcome to Amazon S3.") == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(signed("GET", "/", [("lifecycle", "")]) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        #expect(
            signed("GET", "/", [("prefix", "J"), ("max-keys", "2")]) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `buckets are part of the host, or of the path where the endpoint is one's own`() {
        let aws = S3Location(bucket: "b", region: "eu-west-1")
        #expect(aws.host == "b.s3.eu-west-1.amazonaws.com" && aws.path(of: "a b/ü") == "/a%20b/%C3%BC" && aws.scheme == "https")
        let own = S3Location(bucket: "b", region: "x", endpoint: "http://h:9000")
        #expect(own.host == "h:9000" && own.path(of: "k") == "/b/k" && own.scheme == "http")
        let virtual = S3Location(bucket: "b", region: "x", endpoint: "https://h", usesPathStyle: false)
        #expect(virtual.host == "b.h" && virtual.path(of: "k") == "/k")
    }

    @Test func `dates are read in both forms`() {
        #expect(S3Dates.iso("2009-10-12T17:50:30.000Z") == 1_255_369_830)
        #expect(S3Dates.http("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(S3Dates.iso("yesterday") == nil && S3Dates.http("yesterday") == nil)
    }

    @Test func `answers are read with their entities, and nothing else is guessed at`() {
        let page = S3XML.parse(
            Array("<?xml version=\"1.0\"?>\n<List xmlns=\"u\"><Key>a&amp;b&#x41;&#66;&lt;</Key><Empty/><Key>2</Key><N><M>x</M></N></List>".utf8))
        #expect(page?.all("Key").map(\.text) == ["a&bAB<", "2"])
        #expect(page?.child("N")?.text("M") == "x" && page?.text("Empty") == "")
        for broken in ["", "<a>", "<a></b>", "<a>&unknown;</a>", "<a>&#xD800;</a>", "no", "<!DOCTYPE a><a></a>", "<a", "</a>"] {
            #expect(S3XML.parse(Array(broken.utf8)) == nil, "\(broken)")
        }
        #expect(S3XML.parse(Array(String(repeating: "<a>", count: 100_000).utf8)) == nil, "deep")
    }
}
