// Placeholder until the first file of KafkaLog/Protocol lands.
