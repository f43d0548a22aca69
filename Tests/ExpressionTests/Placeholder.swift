// Placeholder until the first test of Expression lands.
