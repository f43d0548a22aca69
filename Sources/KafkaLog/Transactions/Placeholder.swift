// Placeholder until the first file of KafkaLog/Transactions lands.
