// Placeholder until the first test of Dataflow lands.
