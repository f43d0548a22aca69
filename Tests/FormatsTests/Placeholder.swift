// Placeholder until the first test of Formats lands.
