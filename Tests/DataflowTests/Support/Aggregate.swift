import Dataflow

/// Expression has an `Aggregate` too, one that has been read and not checked.
typealias Aggregate = Dataflow.Aggregate
