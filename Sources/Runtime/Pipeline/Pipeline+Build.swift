import Batch
import Dataflow
import Expression
import JobFile
import KafkaClient
import State

extension Pipeline {
    /// Builds what stands below source `source` of `plan`.
    ///
    /// - Parameters:
    ///   - registry: has loaded what the task's state says; gets the components of this pipeline.
    ///   - home: where state lies that is not in memory.
    convenience init(
        _ plan: JobPlan, source: Int, registry: inout StateRegistry, home: Home, memory: Int
    ) throws(RuntimeFailure) {
        var transforms: [Int: Node] = [:]
        var nodes: [Node] = []
        let mine = plan.transforms.indices.filter { plan.source(of: .transform($0)) == source }
        let stateful = mine.filter { plan.transforms[$0].keepsState }.count
        let share = memory / max(1, stateful)
        for index in mine {
            let node = try Self.node(plan.transforms[index], &registry, home, memory: share)
            transforms[index] = node
            nodes.append(node)
        }
        var sourceTargets = Targets()
        func connect(_ stage: StagePlan, _ change: (inout Targets) -> Void) {
            switch stage {
            case .source: change(&sourceTargets)
            case .transform(let index):
                if let node = transforms[index] { change(&node.targets) }
            }
        }
        for index in mine {
            guard let node = transforms[index] else { continue }
            connect(plan.transforms[index].from) { $0.nodes.append(node) }
        }
        var kafka: [KafkaOutput] = []
        var parquet: [ParquetOutput] = []
        for sink in plan.sinks where plan.source(of: sink.from) == source {
            switch sink.target {
            case .kafka(let target):
                connect(sink.from) { $0.kafka.append(kafka.count) }
                kafka.append(KafkaOutput(target, columns: sink.columns, input: sink.input))
            case .parquet(let target):
                connect(sink.from) { $0.parquet.append(parquet.count) }
                let namespace = registry.namespace(for: sink.name)
                let output = ParquetOutput(sink.name, target, columns: sink.columns, input: sink.input, namespace: namespace)
                registry.register(sink.name, fingerprint: output.fingerprint, namespace: namespace)
                parquet.append(output)
            }
        }
        self.init(nodes: nodes, source: sourceTargets, kafka: kafka, parquet: parquet)
    }

    private static func node(
        _ plan: TransformPlan, _ registry: inout StateRegistry, _ home: Home, memory: Int
    ) throws(RuntimeFailure) -> Node {
        switch plan.operation {
        case .filter(let predicate):
            return Node(plan.name, .filter(predicate))
        case .select(let columns):
            return Node(plan.name, .select(plan.output, columns.map(\.expression)))
        case .dedupe(let dedupe):
            let namespace = registry.namespace(for: plan.name)
            let op = DedupeOperator(
                name: plan.name, input: plan.input, columns: dedupe.columns, within: dedupe.within, namespace: namespace,
                memory: memory, home: home)
            registry.register(plan.name, fingerprint: op.fingerprint, namespace: namespace)
            return Node(plan.name, .dedupe(op))
        case .window(let window):
            var input = plan.input
            var extras: [TypedExpression] = []
            /// A bare column is read where it is; anything else is computed into a column behind the input's.
            func position(_ expression: TypedExpression) -> Int {
                if let column = expression.columnReference { return column }
                extras.append(expression)
                // A name that no column of a job file can have.
                input.fields.append(Field("\u{0}\(extras.count)", expression.type, isNullable: expression.isNullable))
                return input.fields.count - 1
            }
            let aggregates = window.aggregates.map { name, call in
                Aggregate(name, .init(call.function), argument: call.argument.map(position), where: call.condition.map(position))
            }
            let kind: WindowDefinition.Kind =
                switch window.kind {
                case .session(let gap, let max): .session(gap: gap, max: max)
                case .tumbling(let size): .tumbling(size: size)
                }
            let namespace = registry.namespace(for: plan.name)
            let definition = WindowDefinition(
                name: plan.name, input: input, groupBy: window.groupBy, kind: kind, allowedLateness: window.allowedLateness,
                aggregates: aggregates)
            guard let op = WindowOperator(definition, namespace: namespace, memory: memory, home: home), op.output == plan.output else {
                throw RuntimeFailure(
                    remedy: .fail,
                    description: "transform `\(plan.name)`: its plan promises other columns than the window gives; this is a defect")
            }
            registry.register(plan.name, fingerprint: op.fingerprint, namespace: namespace)
            return Node(plan.name, .window(op, extras: extras))
        }
    }
}

extension Aggregate.Function {
    init(_ function: AggregateFunction) {
        switch function {
        case .count: self = .count
        case .sum: self = .sum
        case .min: self = .min
        case .max: self = .max
        case .avg: self = .avg
        case .first: self = .first
        case .last: self = .last
        case .countDistinct: self = .countDistinct
        }
    }
}

extension TransformPlan {
    var keepsState: Bool {
        switch operation {
        case .filter, .select: false
        case .dedupe, .window: true
        }
    }
}
