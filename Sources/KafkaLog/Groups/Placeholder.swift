// Placeholder until the first file of KafkaLog/Groups lands.
