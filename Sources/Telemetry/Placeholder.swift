// Placeholder until the first file of Telemetry lands.
