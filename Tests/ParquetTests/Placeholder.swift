// Placeholder until the first test of Parquet lands.
