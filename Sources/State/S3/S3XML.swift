/// Reads what S3 answers: elements with text, no attributes that matter, no nesting beyond a few levels. Other XML is refused,
/// not guessed at.
package struct S3XML {
    /// An element: its text, or its children.
    package struct Element: Equatable {
        package var name: String
        package var text = ""
        package var children: [Element] = []

        package func child(_ name: String) -> Element? { children.first { $0.name == name } }
        package func text(_ name: String) -> String? { child(name)?.text }
        package func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
    }

    private static let depthMax = 16
    private var rest: Substring.UTF8View

    /// The root element; nil when the text is not of this kind.
    package static func parse(_ bytes: [UInt8]) -> Element? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var reader = S3XML(rest: text[...].utf8)
        reader.skipProlog()
        return reader.element(depth: 0)
    }

    private mutating func skipProlog() {
        skipSpace()
        while rest.starts(with: "<?".utf8) || rest.starts(with: "<!--".utf8) {
            guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return }
            rest = rest[rest.index(after: end)...]
            skipSpace()
        }
    }

    private mutating func element(depth: Int) -> Element? {
        guard depth < Self.depthMax, rest.first == UInt8(ascii: "<"), let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return nil }
        var tag = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        let isEmpty = tag.last == UInt8(ascii: "/")
        if isEmpty { tag = tag.dropLast() }
        let name = String(tag.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\t") }) ?? ""
        guard let first = name.utf8.first, first != UInt8(ascii: "!"), first != UInt8(ascii: "/") else { return nil }
        var element = Element(name: name)
        if isEmpty { return element }
        while true {
            guard let open = rest.firstIndex(of: UInt8(ascii: "<")), let text = Self.unescaped(rest[..<open]) else { return nil }
            rest = rest[open...]
            element.text += text
            if rest.starts(with: "</".utf8) {
                let close = "</\(name)>".utf8
                guard rest.starts(with: close) else { return nil }
                rest = rest.dropFirst(close.count)
                return element
            }
            guard let child = self.element(depth: depth + 1) else { return nil }
            element.children.append(child)
        }
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }

    private static func unescaped(_ bytes: Substring.UTF8View) -> String? {
        guard let text = String(bytes) else { return nil }
        guard text.contains("&") else { return text }
        var result = ""
        var rest = text[...]
        while let ampersand = rest.firstIndex(of: "&") {
            result += rest[..<ampersand]
            guard let semicolon = rest[ampersand...].firstIndex(of: ";") else { return nil }
            let name = rest[rest.index(after: ampersand)..<semicolon]
            switch name {
            case "amp": result += "&"
            case "lt": result += "<"
            case "gt": result += ">"
            case "quot": result += "\""
            case "apos": result += "'"
            default:
                let digits = name.dropFirst(name.hasPrefix("#x") ? 2 : 1)
                guard name.hasPrefix("#"), let code = UInt32(digits, radix: name.hasPrefix("#x") ? 16 : 10),
                    let scalar = Unicode.Scalar(code)
                else { return nil }
                result.unicodeScalars.append(scalar)
            }
            rest = rest[rest.index(after: semicolon)...]
        }
        return result + rest
    }
}
