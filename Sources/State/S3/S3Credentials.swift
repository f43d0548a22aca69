import Foundation

/// What requests are signed with. Never printed: not in errors, not in logs.
package struct S3Credentials: Equatable, Sendable {
    package var accessKey: String
    package var secretKey: String
    /// Of temporary credentials.
    package var sessionToken: String?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

/// Where credentials and the region come from, in the order of the AWS tools: the environment (`AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), then the profile `AWS_PROFILE` (or `default`) of the file
/// `AWS_SHARED_CREDENTIALS_FILE` (or `~/.aws/credentials`) and of `AWS_CONFIG_FILE` (or `~/.aws/config`).
package struct S3Environment: Sendable {
    private let variables: [String: String]

    package init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// Reads the files anew, so that rotated keys are found.
    package func credentials() throws(StateError) -> S3Credentials {
        if let access = value("AWS_ACCESS_KEY_ID"), let secret = value("AWS_SECRET_ACCESS_KEY") {
            return S3Credentials(accessKey: access, secretKey: secret, sessionToken: value("AWS_SESSION_TOKEN"))
        }
        for (path, section) in [(credentialsFile, profile), (configFile, configSection)] {
            let settings = Self.settings(of: section, in: path)
            if let access = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"] {
                return S3Credentials(accessKey: access, secretKey: secret, sessionToken: settings["aws_session_token"])
            }
        }
        throw StateError(
            .inputOutput, "S3 credentials",
            "there are none: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor profile [\(profile)] with both keys in \(credentialsFile) or \(configFile)",
            remedy: "set the variables for the process, or write the file")
    }

    package var region: String? {
        value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? Self.settings(of: configSection, in: configFile)["region"]
    }

    package var endpoint: String? { value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL") }

    private func value(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }
    private var profile: String { value("AWS_PROFILE") ?? "default" }
    private var configSection: String { profile == "default" ? "default" : "profile \(profile)" }
    private var home: String { value("HOME") ?? "." }
    private var credentialsFile: String { value("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials" }
    private var configFile: String { value("AWS_CONFIG_FILE") ?? "\(home)/.aws/config" }

    /// The settings of a section of an INI file; nothing where file or section is not there.
    private static func settings(of section: String, in path: String) -> [String: String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
        var settings: [String: String] = [:]
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                isInside = line[line.index(after: line.startIndex)..<end].trimmingCharacters(in: .whitespaces) == section
            } else if isInside, !line.hasPrefix("#"), !line.hasPrefix(";"), let equals = line.firstIndex(of: "=") {
                let name = line[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
                settings[name] = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            }
        }
        return settings
    }
}
