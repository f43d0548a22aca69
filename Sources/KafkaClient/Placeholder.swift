// Placeholder until the first file of KafkaClient lands.
