// Placeholder until the first file of Batch lands.
