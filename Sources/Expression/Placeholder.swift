// Placeholder until the first file of Expression lands.
