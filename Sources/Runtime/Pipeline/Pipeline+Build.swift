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
    ///   - memory: of the job, of which each of `tasks` has its part.
    ///   - partitions: of every topic that the job reads.
    ///   - fileRule: what decides on the files of Parquet sinks.
    ///   - spare: buffers for what goes to Kafka sinks.
    static func build(
        _ plan: JobPlan, source: Int, registry: inout StateRegistry, directory: String, task: TaskID, memory: MemoryShares,
        tasks: Int, cache: HomeCache, partitions: [String: Int32], fileRule: ParquetOutput.FileRule, spare: SpareRecords
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
        let below = plan.sources[source].shuffle
        var merging: Int?
        if let below, case .partialWindows(let window) = plan.shuffles[below].content { merging = window }
        let home = Home(directory: directory, job: plan.name, task: task.name, timed: timed, cache: cache, runByteCount: memory.run)

        var transforms: [Int: Node] = [:]
        var nodes: [Node] = []
        let share = memory.tables / tasks / max(1, numbers.count)
        for index in mine {
            let transform = plan.transforms[index]
            let node = try Self.node(transform, &registry, numbers[transform.name] ?? 0, home, memory: share, isBelowShuffle: plan.isBelowShuffle(index))
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
                kafka.append(KafkaOutput(target, columns: sink.columns, input: sink.input, spare: spare))
            case .parquet(let target):
                connect(sink.from) { $0.parquet.append(parquet.count) }
                let number = registry.namespace(for: sink.name, besides: Array(numbers.values))
                numbers[sink.name] = number
                let output = ParquetOutput(sink.name, target, columns: sink.columns, input: sink.input, namespace: number, rule: fileRule)
                registry.register(sink.name, fingerprint: output.fingerprint, namespace: number)
                parquet.append(output)
            }
        }
        var shuffles: [ShuffleOutput] = []
        for (number, shuffle) in plan.shuffles.enumerated() where plan.source(of: shuffle.from) == source {
            func output(_ content: ShuffleOutput.Content) -> ShuffleOutput {
                ShuffleOutput(
                    shuffle, content, fingerprint: plan.blockFingerprint(of: number), partitions: Int(partitions[shuffle.topic] ?? 1),
                    upstream: task.partition, upstreams: max(partitions[plan.sources[source].topic] ?? 1, task.partition + 1))
            }
            switch shuffle.content {
            case .rows:
                connect(shuffle.from) { $0.shuffles.append(shuffles.count) }
                shuffles.append(
                    output(
                        .rows(
                            RowBlocks(
                                schema: shuffle.input, by: shuffle.by, salt: shuffle.salt, partitions: Int(partitions[shuffle.topic] ?? 1)))))
            case .partialWindows(let index):
                guard case .window(let window) = plan.transforms[index].operation else {
                    preconditionFailure("windows are what a shuffle of partial windows is of")
                }
                let (op, extras) = Self.window(plan.transforms[index], window, .partial)
                let node = Node(shuffle.name, .partialWindow(op, extras: extras, shuffle: shuffles.count))
                nodes.append(node)
                connect(shuffle.from) { $0.nodes.append(node) }
                shuffles.append(output(.partialWindows(op)))
            }
        }
        return (
            Pipeline(
                nodes: nodes, source: sourceTargets, kafka: kafka, parquet: parquet, shuffles: shuffles,
                merged: merging.flatMap { transforms[$0] }, blockFingerprint: below.map { plan.blockFingerprint(of: $0) },
                memoryMax: memory.tables / tasks, changesEach: memory.changes / tasks, home: home, firstUnused: registry.firstUnused),
            home
        )
    }

    /// Where a window's rows are folded.
    private enum Place {
        /// In one task, up to the result; below a shuffle its source's rows, or windows, have come from many.
        case task(WindowOperator.Namespaces, Home, isBelowShuffle: Bool)
        /// In the task that reads the rows, up to the shuffle.
        case partial
    }

    private static func node(
        _ plan: TransformPlan, _ registry: inout StateRegistry, _ namespace: UInt16, _ home: Home, memory: Int,
        isBelowShuffle: Bool
    ) throws(StateError) -> Node {
        switch plan.operation {
        case .filter(let condition):
            return Node(plan.name, .filter(Reference(Filter(condition))))
        case .select(let columns):
            return Node(plan.name, .select(Reference(Projection(columns))))
        case .dedupe(let dedupe):
            let remembered = DedupeSet(
                within: dedupe.within, namespace: namespace, memoryBudget: memory, spillDirectory: home.spillDirectory)
            let op = Dedupe(input: plan.input, by: dedupe.columns, within: dedupe.within, remembered: remembered)
            registry.register(plan.name, fingerprint: op.fingerprint, namespace: namespace)
            return Node(plan.name, .dedupe(op), namespace: namespace)
        case .window(let window):
            let place = Place.task(.init(windows: namespace, sets: namespace + 1), home, isBelowShuffle: isBelowShuffle)
            let (op, extras) = Self.window(plan, window, place)
            // Two expressions of one type would otherwise pass for each other.
            let texts = window.aggregates.map { $0.call.text }.joined(separator: "; ")
            registry.register(plan.name, fingerprint: "\(op.fingerprint) of \(texts)", namespace: namespace)
            return Node(plan.name, .window(op, extras: extras), namespace: namespace)
        }
    }

    /// The operator of a window transform, and what is computed for it behind the columns of its input.
    private static func window(
        _ plan: TransformPlan, _ window: WindowPlan, _ place: Place
    ) -> (WindowOperator, extras: [TypedExpression]) {
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
        var definition = WindowDefinition(
            name: plan.name, input: input, groupBy: window.groupBy, kind: kind, allowedLateness: window.allowedLateness,
            aggregates: aggregates)
        let op: WindowOperator?
        switch place {
        case .task(let namespaces, let home, let isBelowShuffle):
            op = WindowOperator(
                isBelowShuffle ? definition.belowShuffle : definition, namespaces, home: home, spillDirectory: home.spillDirectory)
        case .partial:
            definition.isPartial = true
            op = WindowOperator(definition, .init(windows: 0, sets: 0))
        }
        // The plan calls an aggregate nullable that may be; the window knows which are. Names and types have to agree.
        guard let op,
            op.output.fields.map(\.name) == plan.output.fields.map(\.name),
            op.output.fields.map(\.type) == plan.output.fields.map(\.type)
        else { preconditionFailure("transform `\(plan.name)`: its plan promises other columns than the window gives") }
        return (op, extras)
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
        guard case .window(let window) = transforms[index].operation else { return before }
        // As `WindowDefinition.belowShuffle` has it.
        if case .session(let gap, _) = window.kind, isBelowShuffle(index) { return before + window.allowedLateness + gap }
        return before + window.allowedLateness
    }

    /// Rows of several partitions mix in the transform's input. Not in what a window puts out: that has an order of its own.
    fileprivate func isBelowShuffle(_ transform: Int) -> Bool {
        switch transforms[transform].from {
        case .source(let source): return sources[source].shuffle != nil
        case .transform(let above):
            if case .window = transforms[above].operation { return false }
            return isBelowShuffle(above)
        }
    }
}
