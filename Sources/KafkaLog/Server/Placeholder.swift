// Placeholder until the first file of KafkaLog/Server lands.
