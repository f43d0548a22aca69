// Placeholder until the first test of Runtime lands.
