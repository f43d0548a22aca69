// Placeholder until the first test of Batch lands.
