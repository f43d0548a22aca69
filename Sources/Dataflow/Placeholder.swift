// Placeholder until the first file of Dataflow lands.
