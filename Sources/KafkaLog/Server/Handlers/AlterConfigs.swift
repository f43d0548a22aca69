import KafkaLogProtocol
import KafkaLogStorage

/// Settings of topics can be changed while they are used; those of the broker are in its configuration file.
extension Broker {
    func incrementalAlterConfigs(_ request: IncrementalAlterConfigsRequest, _ reply: Reply<IncrementalAlterConfigsRequest>) {
        let repeated = repeated(request.resources.map { ($0.resourceType, $0.resourceName) })
        answer(reply) { response in
            response.responses = request.resources.map { resource in
                var result = IncrementalAlterConfigsResponse.Response {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                }
                do throws(RequestFailure) {
                    let topic = try alterableTopic(resource.resourceType, resource.resourceName, repeated)
                    try checkNames(resource.configs.map(\.name))
                    var overrides = topic.overrides
                    for entry in resource.configs { try alter(&overrides, entry, topic) }
                    try setOverrides(overrides, of: topic, validateOnly: request.validateOnly)
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    /// Sets, deletes, appends or subtracts (KIP-339).
    private func alter(
        _ overrides: inout [String: String], _ entry: IncrementalAlterConfigsRequest.Resource.Entry, _ topic: Topic
    ) throws(RequestFailure) {
        switch entry.configOperation {
        case 0: overrides[entry.name] = entry.value.map { SettingDescription.normalised($0, of: entry.name) }
        case 1: overrides[entry.name] = nil
        case 2, 3:
            guard SettingDescription.ofTopics[entry.name]?.type == .list else {
                throw RequestFailure(.invalidConfig, "\(entry.name) is no list: its value can be set or deleted, not appended to or subtracted from")
            }
            let effective = try RequestFailure.fromStorage { () throws(StorageError) in try directory.configuration(of: topic) }
            let present = overrides[entry.name] ?? effective.settings.first { $0.name == entry.name }?.value ?? ""
            let named = SettingDescription.elements(of: entry.value ?? "")
            var elements = SettingDescription.elements(of: present)
            if entry.configOperation == 2 {
                elements += named.filter { !elements.contains($0) }
            } else {
                elements.removeAll { named.contains($0) }
            }
            overrides[entry.name] = elements.joined(separator: ",")
        default:
            throw RequestFailure(.invalidRequest, "\(entry.name): there is no operation \(entry.configOperation); expected 0 to 3")
        }
    }

    /// What is not in the request goes back to its default.
    func alterConfigs(_ request: AlterConfigsRequest, _ reply: Reply<AlterConfigsRequest>) {
        let repeated = repeated(request.resources.map { ($0.resourceType, $0.resourceName) })
        answer(reply) { response in
            response.responses = request.resources.map { resource in
                var result = AlterConfigsResponse.Response {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                }
                do throws(RequestFailure) {
                    let topic = try alterableTopic(resource.resourceType, resource.resourceName, repeated)
                    try checkNames(resource.configs.map(\.name))
                    var overrides: [String: String] = [:]
                    for entry in resource.configs {
                        guard let value = entry.value else {
                            throw RequestFailure(.invalidRequest, "\(entry.name): expected a value, not null; leave it out for its default")
                        }
                        overrides[entry.name] = SettingDescription.normalised(value, of: entry.name)
                    }
                    try setOverrides(overrides, of: topic, validateOnly: request.validateOnly)
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    /// The names of topics that a request has more than once.
    private func repeated(_ resources: [(type: Int8, name: String)]) -> Set<String> {
        let topics = resources.filter { $0.type == ResourceType.topic }
        return Set(Dictionary(grouping: topics, by: \.name).filter { $0.value.count > 1 }.keys)
    }

    private func alterableTopic(_ type: Int8, _ name: String, _ repeated: Set<String>) throws(RequestFailure) -> Topic {
        guard type == ResourceType.topic else {
            throw RequestFailure(
                .invalidRequest,
                type == ResourceType.broker
                    ? "the configuration of the broker cannot be changed while it runs; change its configuration file and restart it"
                    : "resource type \(type) has no configuration here; topics (2) have")
        }
        guard !repeated.contains(name) else { throw RequestFailure(.invalidRequest, "the topic \(name) is in the request more than once") }
        guard let topic = directory.topics[name] else { throw RequestFailure(.unknownTopicOrPartition, "there is no topic \(name)") }
        return topic
    }

    private func checkNames(_ names: [String]) throws(RequestFailure) {
        guard Set(names).count == names.count else {
            throw RequestFailure(.invalidRequest, "a setting is in the request more than once: \(names.sorted().joined(separator: ", "))")
        }
    }

    private func setOverrides(_ overrides: [String: String], of topic: Topic, validateOnly: Bool) throws(RequestFailure) {
        // The file that keeps them separates them by spaces.
        if let (name, value) = overrides.first(where: { $0.value.contains { $0.isWhitespace } }) {
            throw RequestFailure(.invalidConfig, "\(name) cannot be '\(value)': it has white space")
        }
        try RequestFailure.fromStorage { () throws(StorageError) in
            var configuration = configuration.topicDefaults
            for (name, value) in overrides.sorted(by: { $0.key < $1.key }) { try configuration.set(name, to: value) }
            if !validateOnly { try directory.setOverrides(overrides, of: topic.name) }
        }
    }
}
