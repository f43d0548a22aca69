import Batch
import Expression
import Testing

@Test(arguments: [
    ("count()", "count", "int64"), ("COUNT(*)", "count", "int64"), ("sum(i)", "sum", "int64?"), ("sum(f)", "sum", "float64?"),
    ("sum(d)", "sum", "decimal(38,2)?"), ("avg(i)", "avg", "float64?"), ("avg(f)", "avg", "float64?"), ("avg(d)", "avg", "decimal(38,6)?"),
    ("avg(cast(d as decimal(20,8)))", "avg", "decimal(38,8)?"), ("min(t)", "min", "timestamp?"), ("max(s)", "max", "string?"),
    ("first(b)", "first", "bool?"), ("last(nd)", "last", "decimal(20,4)?"), ("count_distinct(s)", "count_distinct", "int64"),
    ("count(distinct s)", "count_distinct", "int64"),
])
func aggregatesHaveTheirResultType(_ text: String, _ function: String, _ type: String) throws {
    let call = try Aggregate.parse(text).typed(in: everyType)
    #expect(call.function.rawValue == function)
    #expect("\(call.resultType)\(call.resultIsNullable ? "?" : "")" == type)
    #expect(call.condition == nil)
    #expect((call.argument == nil) == text.lowercased().hasPrefix("count(") && function == "count" || call.argument != nil)
}

@Test func anAggregateMayHaveACondition() throws {
    let call = try Aggregate.parse("sum(i * 2 where s like 'G%' or nb)").typed(in: everyType)
    let rows = twoRows()
    #expect(call.argument?.evaluate(rows).value(0) == .integer(14))
    #expect(call.condition?.evaluate(rows).value(0) == .bool(true))
    #expect(call.condition?.evaluate(rows).value(1) == .null)
    #expect(try Aggregate.parse("sum(i * 2 where s like 'G%' or nb)").columnNames == ["i", "s", "nb"])
}

@Test func countOfAValueCountsTheRowsThatHaveIt() throws {
    let rows = twoRows()
    let nullable = try Aggregate.parse("count(ni)").typed(in: everyType)
    #expect(nullable.argument == nil)
    #expect(nullable.condition.map { [$0.evaluate(rows).value(0), $0.evaluate(rows).value(1)] } == [.bool(true), .bool(false)])
    let both = try Aggregate.parse("count(ni where i = 0)").typed(in: everyType)
    #expect(both.condition.map { [$0.evaluate(rows).value(0), $0.evaluate(rows).value(1)] } == [.bool(false), .bool(false)])
    #expect(try Aggregate.parse("count(i)").typed(in: everyType).condition == nil)
}
