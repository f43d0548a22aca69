import KafkaLog
import Testing

@Test func whatNoRuleAllowsIsDenied() {
    let none = Authorizer([])
    #expect(!none.allows("alice", .read, .topic("t")))
    #expect(!none.allows("alice", .describe, .cluster))
    #expect(!none.allowsWritingSomewhere("alice"))
}

@Test func aRuleAllowsItsOperationsOnItsNamesToItsPrincipals() {
    let list = Authorizer([
        AllowRule(principals: ["alice", "bob"], operations: [.read], topics: [NamePattern("clicks"), NamePattern("shop.*")], groups: [NamePattern("g*")]),
        AllowRule(principals: ["bob"], operations: [.write], transactionalIDs: [NamePattern("*")]),
    ])
    #expect(list.allows("alice", .read, .topic("clicks")))
    #expect(list.allows("alice", .read, .topic("shop.orders")))
    #expect(!list.allows("alice", .read, .topic("clicks-2")))
    #expect(!list.allows("alice", .read, .topic("shop")))
    #expect(!list.allows("alice", .write, .topic("clicks")))
    #expect(!list.allows("carol", .read, .topic("clicks")))
    #expect(list.allows("alice", .read, .group("g1")))
    // A topic's name is no group's.
    #expect(!list.allows("alice", .read, .group("clicks")))
    #expect(list.allows("bob", .write, .transactionalID("anything")))
    #expect(!list.allows("alice", .write, .transactionalID("anything")))
    #expect(!list.allows("bob", .read, .cluster))
}

@Test func everybodyIsWrittenAsAStar() {
    let list = Authorizer([AllowRule(principals: ["*"], operations: [.read], topics: [NamePattern("public*")])])
    #expect(list.allows("alice", .read, .topic("public-1")))
    #expect(list.allows(LogSecurity.anonymous, .read, .topic("public-1")))
    #expect(!list.allows("alice", .read, .topic("private")))
}

@Test(arguments: [AclOperation.read, .write, .delete, .alter])
func whoMayUseSomethingMayDescribeIt(_ operation: AclOperation) {
    let list = Authorizer([AllowRule(principals: ["a"], operations: [operation], topics: [.exactly("t")])])
    #expect(list.allows("a", .describe, .topic("t")))
    #expect(!list.allows("a", .describeConfigs, .topic("t")))
}

@Test func whoMayCreateMayNotDescribeAndWhoMayAlterConfigurationsMayDescribeThem() {
    let list = Authorizer([AllowRule(principals: ["a"], operations: [.create, .alterConfigs], topics: [.exactly("t")])])
    #expect(!list.allows("a", .describe, .topic("t")))
    #expect(list.allows("a", .describeConfigs, .topic("t")))
}

@Test func aProducerIDNeedsSomethingToWriteTo() {
    let list = Authorizer([
        AllowRule(principals: ["reader"], operations: [.read], topics: [.exactly("t")]),
        AllowRule(principals: ["writer"], operations: [.write], topics: [.exactly("t")]),
    ])
    #expect(list.allowsWritingSomewhere("writer"))
    #expect(!list.allowsWritingSomewhere("reader"))
}
