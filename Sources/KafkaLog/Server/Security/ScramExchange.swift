/// The server's side of one SCRAM login (RFC 5802, RFC 7677), without channel binding: two messages of the client, each
/// answered with one.
package struct ScramExchange: Sendable {
    package enum Outcome: Equatable {
        /// The server's first message.
        case challenge(String)
        /// The client has proved that it knows the password; the server's final message proves the same to it.
        case done(user: String, final: String)
        /// `reason` is for the server's log; the client is told nothing.
        case refused(user: String?, reason: String)
    }

    private enum State {
        case start
        case challenged(user: String, credential: ScramCredential, gs2Header: String, clientFirstBare: String, serverFirst: String)
        case over
    }

    private let hash: ScramHash
    private let serverNonce: String
    private var state = State.start

    /// - Parameter serverNonce: printable, without commas, never the same twice; nil for a random one.
    package init(_ hash: ScramHash, serverNonce: String? = nil) {
        self.hash = hash
        self.serverNonce = serverNonce ?? Base64.encode(SecureRandom.bytes(18))
    }

    package mutating func take(_ message: [UInt8], _ credential: (String, ScramHash) -> ScramCredential) -> Outcome {
        let before = state
        state = .over
        guard message.count <= 4096, message.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return .refused(user: nil, reason: "a SCRAM message that is not printable ASCII")
        }
        let text = String(decoding: message, as: UTF8.self)
        switch before {
        case .start: return takeFirst(text, credential)
        case .challenged(let user, let credential, let gs2Header, let clientFirstBare, let serverFirst):
            return takeFinal(
                text, user, credential, gs2Header: gs2Header, beforeProof: "\(clientFirstBare),\(serverFirst)")
        case .over: return .refused(user: nil, reason: "a SCRAM message after the last")
        }
    }

    private mutating func takeFirst(_ text: String, _ credential: (String, ScramHash) -> ScramCredential) -> Outcome {
        let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return .refused(user: nil, reason: "a malformed first SCRAM message") }
        guard parts[0] == "n" || parts[0] == "y" else { return .refused(user: nil, reason: "channel binding is not offered") }
        let attributes = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 2, let user = Self.name(attributes[0], "n="), attributes[1].hasPrefix("r="), attributes[1].count > 2,
            LogUser.isName(user)
        else { return .refused(user: nil, reason: "a malformed first SCRAM message") }
        guard !attributes.contains("tokenauth=true") else { return .refused(user: user, reason: "delegation tokens are not offered") }
        guard parts[1].isEmpty || Self.name(parts[1], "a=") == user else {
            return .refused(user: user, reason: "it asks to act for somebody else")
        }
        let credential = credential(user, hash)
        let nonce = attributes[1].dropFirst(2) + serverNonce
        let serverFirst = "r=\(nonce),s=\(Base64.encode(credential.salt)),i=\(credential.iterations)"
        state = .challenged(
            user: user, credential: credential, gs2Header: "\(parts[0]),\(parts[1]),", clientFirstBare: String(parts[2]),
            serverFirst: serverFirst)
        return .challenge(serverFirst)
    }

    private func takeFinal(
        _ text: String, _ user: String, _ credential: ScramCredential, gs2Header: String, beforeProof: String
    ) -> Outcome {
        var attributes = text.split(separator: ",", omittingEmptySubsequences: false)
        guard let last = attributes.popLast(), last.hasPrefix("p=") else {
            return .refused(user: user, reason: "a final SCRAM message without a proof")
        }
        let withoutProof = attributes.joined(separator: ",")
        guard attributes.count >= 2, attributes[0] == "c=\(Base64.encode(Array(gs2Header.utf8)))" else {
            return .refused(user: user, reason: "the channel binding of its final SCRAM message is not that of its first")
        }
        // librdkafka before 2.6.1 sends its own nonce twice here. What keeps a replay out is the server's, which is never the same.
        guard attributes[1].hasPrefix("r="), attributes[1].hasSuffix(serverNonce) else {
            return .refused(user: user, reason: "the nonce is not the one of this login")
        }
        guard let proof = Base64.decode(last.dropFirst(2)), proof.count == hash.byteCount else {
            return .refused(user: user, reason: "a malformed SCRAM proof")
        }
        let message = Array("\(beforeProof),\(withoutProof)".utf8)
        let clientSignature = hash.authenticationCode(key: credential.storedKey, message)
        let clientKey = zip(proof, clientSignature).map { $0 ^ $1 }
        guard areEqualInConstantTime(hash.digest(clientKey), credential.storedKey) else {
            return .refused(user: user, reason: "unknown user or wrong password")
        }
        let signature = hash.authenticationCode(key: credential.serverKey, message)
        return .done(user: user, final: "v=\(Base64.encode(signature))")
    }

    /// The name after `prefix`, with `=2C` and `=3D` read as a comma and an equals sign.
    private static func name(_ attribute: Substring, _ prefix: String) -> String? {
        guard attribute.hasPrefix(prefix) else { return nil }
        var name = ""
        var rest = attribute.dropFirst(prefix.count)
        while let character = rest.popFirst() {
            if character != "=" {
                name.append(character)
            } else if rest.hasPrefix("2C") {
                name.append(",")
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("3D") {
                name.append("=")
                rest = rest.dropFirst(2)
            } else {
                return nil
            }
        }
        return name
    }
}
