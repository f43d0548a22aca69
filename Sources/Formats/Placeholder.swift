// Placeholder until the first file of Formats lands.
