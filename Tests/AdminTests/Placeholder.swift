// Placeholder until the first test of Admin lands.
