// Placeholder until the first file of JobFile lands.
