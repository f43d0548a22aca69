import CYAML

/// libyaml's parser: a stream of events over a text that it holds on to.
///
/// Only this file touches libyaml's memory; everything that leaves is copied.
final class YAMLParser {
    struct Event {
        enum Kind {
            case scalar(text: String, isPlain: Bool, isBlock: Bool)
            case sequenceStart
            case sequenceEnd
            case mappingStart(isFlow: Bool)
            case mappingEnd
            case alias(String)
            case documentStart
            case documentEnd
            case streamEnd
            case other
        }

        let kind: Kind
        /// Unicode scalars from the text's start.
        let start: Int
        let end: Int
        let anchor: String?
        let tag: String?
    }

    struct Problem: Error {
        /// Unicode scalars from the text's start.
        let index: Int
        let message: String
        /// What was being read, and where it began.
        let context: String?
        var isOfLibrary = true
    }

    // Both are allocated once and freed in deinit: libyaml keeps their addresses.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// Nil when there is no memory.
    init?(_ text: String) {
        parser = .allocate(capacity: 1)
        let utf8 = Array(text.utf8)
        self.text = .allocate(capacity: utf8.count)
        _ = self.text.initialize(from: utf8)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            self.text.deallocate()
            return nil
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, self.text.baseAddress, self.text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    func next() throws(Problem) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
        defer { yaml_event_delete(&event) }
        let data = event.data
        var anchor: UnsafeMutablePointer<yaml_char_t>?
        var tag: UnsafeMutablePointer<yaml_char_t>?
        let kind: Event.Kind
        switch event.type {
        case YAML_SCALAR_EVENT:
            anchor = data.scalar.anchor
            tag = data.scalar.tag
            let style = data.scalar.style
            let text = UnsafeBufferPointer(start: data.scalar.value, count: data.scalar.length)
            kind = .scalar(
                text: String(decoding: text, as: UTF8.self), isPlain: style == YAML_PLAIN_SCALAR_STYLE,
                isBlock: style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
        case YAML_SEQUENCE_START_EVENT:
            anchor = data.sequence_start.anchor
            tag = data.sequence_start.tag
            kind = .sequenceStart
        case YAML_MAPPING_START_EVENT:
            anchor = data.mapping_start.anchor
            tag = data.mapping_start.tag
            kind = .mappingStart(isFlow: data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        case YAML_ALIAS_EVENT: kind = .alias(Self.string(data.alias.anchor) ?? "")
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        default: kind = .other
        }
        return Event(
            kind: kind, start: event.start_mark.index, end: event.end_mark.index, anchor: Self.string(anchor), tag: Self.string(tag))
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        text.map { String(cString: $0) }
    }

    private func problem() -> Problem {
        let state = parser.pointee
        let message = state.problem.map { String(cString: $0) } ?? "out of memory"
        guard state.error == YAML_SCANNER_ERROR || state.error == YAML_PARSER_ERROR else {
            // The reader counts bytes.
            let prefix = text.prefix(max(0, min(state.problem_offset, text.count)))
            return Problem(index: String(decoding: prefix, as: UTF8.self).unicodeScalars.count, message: message, context: nil)
        }
        let context = state.context.map { "\(String(cString: $0)) at line \(state.context_mark.line + 1)" }
        return Problem(index: state.problem_mark.index, message: message, context: context)
    }
}
