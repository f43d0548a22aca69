import Batch

/// The shuffles of a job, while its transforms are read.
struct ShuffleList {
    /// Nil while the job's name has errors: there is no plan then.
    let job: String?
    /// How many sources the file has: those of the shuffles come after them.
    let sourceCount: Int
    private(set) var plans: [ShufflePlan] = []

    init(job: String?, sourceCount: Int) {
        self.job = job
        self.sourceCount = sourceCount
    }

    /// The stage below the new shuffle: the rows of `input`, in partitions by some of its columns.
    mutating func add(
        _ name: String, from input: Stage, by columns: [Int], salt: Int = 1, partitions: Int? = nil, content: ShufflePlan.Content,
        owner: String, reason: String
    ) -> Stage {
        var output = input.withPlan(.source(sourceCount + plans.count))
        output.shuffles.append(plans.count)
        output.partitioning =
            salt > 1 ? .spread(owner: owner) : .by(columns.map { input.schema.fields[$0].name }, owner: owner)
        plans.append(
            ShufflePlan(
                name: name, topic: "\(job ?? "").\(name).shuffle", from: input.plan, input: input.schema, by: columns, salt: salt,
                partitions: partitions, content: content, reason: reason))
        return output
    }

    /// Rows of `input` reach the window.
    mutating func note(_ kind: WindowKind, allowedLateness: Int64, below input: Stage) {
        for index in input.shuffles { plans[index].windows.append((kind, allowedLateness)) }
    }
}
