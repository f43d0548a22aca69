// Placeholder until the first test of Telemetry lands.
