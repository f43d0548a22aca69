// Placeholder until the first file of Admin lands.
