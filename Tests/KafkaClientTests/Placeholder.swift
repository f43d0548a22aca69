// Placeholder until the first test of KafkaClient lands.
