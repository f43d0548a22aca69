// Placeholder until the first test of JobFile lands.
