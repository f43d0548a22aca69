// Placeholder until the first test of State lands.
