import Batch
import Dataflow
import Expression
import JobFile
import KafkaClient
import State

extension Pipeline {
    /// Builds what stands below source `source` of `plan`, and the home of its state.
    ///
    /// - Parameters:
    ///   - registry: knows what the task's last delta said of its state; gets the components of this pipeline.
    ///   - directory: of the home.
    ///   - memory: bytes for the state of this task.
    static func build(
        _ plan: JobPlan, source: Int, registry: inout StateRegistry, directory: String, task: TaskID, memory: Int,
        cache: HomeCache
    ) throws(StateError) -> (Pipeline, Home) {
        let mine = plan.transforms.indices.filter { plan.source(of: .transform($0)) == source }
        // The home has to know which tables have timers before it is opened.
        var numbers: [String: UInt16] = [:]
        var timed: [Home.TimedNamespace] = []
        for index in mine where plan.transforms[index].keepsState {
            let transform = plan.transforms[index]
            let number = registry.namespace(for: transform.name, besides: Array(numbers.values))
            numbers[transform.name] = number
            if case .window = transform.operation {
                timed.append(.init(namespace: number, lateness: plan.lateness(of: .transform(index))))
            }
        }
        let home = Home(directory: directory, job: plan.name, task: task.name, timed: timed, cache: cache)

        var transforms: [Int: Node] = [:]
        var nodes: [Node] = []
        let share = memory / max(1, numbers.count)
        for index in mine {
            let transform = plan.transforms[index]
            let node = try Self.node(transform, &registry, numbers[transform.name] ?? 0, home, memory: share)
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
                let number = registry.namespace(for: sink.name, besides: Array(numbers.values))
                numbers[sink.name] = number
                let output = ParquetOutput(sink.name, target, columns: sink.columns, input: sink.input, namespace: number)
                registry.register(sink.name, fingerprint: output.fingerprint, namespace: number)
                parquet.append(output)
            }
        }
        let pipeline = Pipeline(
            nodes: nodes, source: sourceTargets, kafka: kafka, parquet: parquet, memoryEach: share, home: home,
            firstUnused: registry.firstUnused)
        return (pipeline, home)
    }

    private static func node(
        _ plan: TransformPlan, _ registry: inout StateRegistry, _ namespace: UInt16, _ home: Home, memory: Int
    ) throws(StateError) -> Node {
        switch plan.operation {
        case .filter(let condition):
            return Node(plan.name, .filter(Reference(Filter(condition))))
        case .select(let columns):
            return Node(plan.name, .select(Reference(Projection(columns))))
        case .dedupe(let dedupe):
            let remembered = DedupeSet(
                within: dedupe.within, namespace: namespace, memoryBudget: memory, spillDirectory: home.directory + ".ids")
            let op = Dedupe(input: plan.input, by: dedupe.columns, within: dedupe.within, remembered: remembered)
            registry.register(plan.name, fingerprint: op.fingerprint, namespace: namespace)
            return Node(plan.name, .dedupe(op), namespace: namespace)
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
                Dataflow.Aggregate(name, call.function, argument: call.argument.map(position), where: call.condition.map(position))
            }
            let kind: WindowDefinition.Kind =
                switch window.kind {
                case .session(let gap, let max): .session(gap: gap, max: max)
                case .tumbling(let size): .tumbling(size: size)
                }
            let definition = WindowDefinition(
                name: plan.name, input: input, groupBy: window.groupBy, kind: kind, allowedLateness: window.allowedLateness,
                aggregates: aggregates)
            // The plan calls an aggregate nullable that may be; the window knows which are. Names and types have to agree.
            guard let op = WindowOperator(definition, .init(windows: namespace, sets: namespace + 1), home: home),
                op.output.fields.map(\.name) == plan.output.fields.map(\.name),
                op.output.fields.map(\.type) == plan.output.fields.map(\.type)
            else { preconditionFailure("transform `\(plan.name)`: its plan promises other columns than the window gives") }
            // Two expressions of one type would otherwise pass for each other.
            let texts = window.aggregates.map { $0.call.text }.joined(separator: "; ")
            registry.register(plan.name, fingerprint: "\(op.fingerprint) of \(texts)", namespace: namespace)
            return Node(plan.name, .window(op, extras: extras), namespace: namespace)
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

extension JobPlan {
    /// How far a stage's watermark is behind that of its source: the allowed lateness of the windows up to it, microseconds.
    fileprivate func lateness(of stage: StagePlan) -> Int64 {
        guard case .transform(let index) = stage else { return 0 }
        let before = lateness(of: transforms[index].from)
        if case .window(let window) = transforms[index].operation { return before + window.allowedLateness }
        return before
    }
}
