import Batch
import Expression

/// What is known of a source or transform while those that read it are checked.
struct Stage {
    var plan: StagePlan
    var schema: Schema
    /// Columns whose type is not known because of an error that has been reported: nothing is said about their uses.
    var broken: Set<String> = []
    /// Nothing is known of the columns.
    var isBroken = false
    var partitioning = Partitioning.together
    /// Positions of the shuffles that its rows have come through since the source or the last window.
    var shuffles: [Int] = []

    static func broken(_ plan: StagePlan) -> Stage {
        Stage(plan: plan, schema: Schema([]), isBroken: true)
    }

    func withPlan(_ plan: StagePlan) -> Stage {
        var stage = self
        stage.plan = plan
        return stage
    }

    /// Whether something can be said about a use of the column.
    func isKnown(_ column: String) -> Bool {
        if isBroken || broken.contains(column) { return false }
        // It may well be one of those under its right name.
        return broken.isEmpty || schema.index(of: column) != nil || closestName(to: column, among: broken.sorted()) == nil
    }
}

extension Diagnostics {
    /// The position of a column that has to be there.
    func column(_ name: String, _ node: YAMLNode, _ stage: Stage) -> Int? {
        guard stage.isKnown(name) else { return nil }
        if let index = stage.schema.index(of: name) { return index }
        let names = stage.schema.fields.map(\.name)
        let near = suggestion(for: name, among: names)
        report(node, "unknown column `\(name)`\(near.isEmpty ? "; columns are \(names.joined(separator: ", "))" : near)")
        return nil
    }

    /// An expression in its place in the file.
    func expression(_ node: YAMLNode, _ stage: Stage, isCondition: Bool = false) -> TypedExpression? {
        guard let scalar = scalar(node, "an expression") else { return nil }
        do {
            let expression = try Expression.parse(scalar.text)
            guard expression.columnNames.allSatisfy(stage.isKnown) else { return nil }
            return try isCondition ? expression.condition(in: stage.schema) : expression.typed(in: stage.schema)
        } catch {
            report(scalar.position(of: error.offset, in: source), error.message)
            return nil
        }
    }

    func aggregate(_ node: YAMLNode, _ stage: Stage) -> AggregateCall? {
        guard let scalar = scalar(node, "an aggregate such as count() or sum(amount)") else { return nil }
        do {
            let aggregate = try Aggregate.parse(scalar.text)
            guard aggregate.columnNames.allSatisfy(stage.isKnown) else { return nil }
            return try aggregate.typed(in: stage.schema)
        } catch {
            report(scalar.position(of: error.offset, in: source), error.message)
            return nil
        }
    }
}
