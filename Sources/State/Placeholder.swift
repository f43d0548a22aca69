// Placeholder until the first file of State lands.
